"""NICE and Real NVP for images in plain PyTorch, of the shapes that `nvp_tf.models.build` gives them.

What they are is said there; with the same weights they give the same log_prob (tests/engines/test_peers.py).
Parameters and buffers are registered in the order of our own weights. Imported in the environment of the peers.
"""

from benchmarks.torch_models.flow import Flow, Pixels, Prior
from benchmarks.torch_models.nice import NICE
from benchmarks.torch_models.real_nvp import RealNVP
from nvp_tf.config.schema import NICEConfig, RealNVPConfig


def of(config):
    """The Flow of a ModelConfig."""
    kind = {NICEConfig: NICE, RealNVPConfig: RealNVP}[type(config.flow)]
    return Flow(kind(config.event_shape, config.flow), Pixels(config.pixels), Prior(config.prior))
