"""The peers of a model: the same in other software, each as good as that software gets."""

import sys
from dataclasses import dataclass, field

from benchmarks.process import ROOT
from nvp_tf.config.schema import VectorRealNVPConfig

PYTHON = ROOT / ".venv-peers" / "bin" / "python"
SETUP = "bin/setup peers"
PACKAGES = ("tensorflow", "keras", "tensorflow-probability", "torch", "nflows", "normflows", "zuko", "jax", "flowjax")
PYTORCH, COMPILED, JAX, FLOWJAX, TFP = "PyTorch", "torch.compile", "plain JAX", "flowjax", "TFP"


@dataclass(frozen=True)
class Peer:
    """A contender.

    name: in tables. group: among which the best is looked for.
    contender: its file. options: of its `load`, beside those that all of its kind have.
    python: the interpreter of its environment.
    """

    name: str
    group: str
    contender: str
    options: dict = field(default_factory=dict)
    python: str = str(PYTHON)


_VECTORS = [
    Peer("nflows", PYTORCH, "nflows"),
    Peer("normflows", PYTORCH, "normflows"),
    Peer("zuko", PYTORCH, "zuko"),
    # normflows under torch.compile trains no faster, and its log_prob ends in an error of the compiler.
    Peer("nflows, torch.compile", COMPILED, "nflows", {"compiled": True}),
    Peer("zuko, torch.compile", COMPILED, "zuko", {"compiled": True}),
    Peer("flowjax", FLOWJAX, "flowjax"),
    Peer("plain JAX, lax.scan", JAX, "jax_scan"),
    Peer("TFP, tfb.RealNVP", TFP, "tfp", python=sys.executable),
    Peer("TFP, tfb.RealNVP, XLA", TFP, "tfp", {"jit": True}, sys.executable),
]
_IMAGES = [
    Peer("plain PyTorch", PYTORCH, "torch_image"),
    Peer("plain PyTorch, torch.compile", PYTORCH, "torch_image", {"compiled": True}),  # faster in bfloat16
]


def of(config) -> list[Peer]:
    """Those of a Config."""
    return _VECTORS if isinstance(config.model.flow, VectorRealNVPConfig) else _IMAGES


def dtypes(config) -> list[str]:
    """Of the networks, in which ours and the peers' can compute."""
    return ["float32"] if isinstance(config.model.flow, VectorRealNVPConfig) else ["float32", "bfloat16"]


def arguments(peer, config, dtype, batch, points, steps) -> dict:
    """What the peer's `load` takes.

    batch: to train on, `steps` of them in a call. points: to score, and to sample.
    """
    flow, same = config.model.flow, {"batch": batch, "points": points, "steps": steps}
    if isinstance(flow, VectorRealNVPConfig):
        [dimensions] = config.model.event_shape
        keys = ("couplings", "hidden_layers", "hidden_units")
        shape = {"dimensions": dimensions} | {key: getattr(flow, key) for key in keys}
        return same | shape | {"learning_rate": config.train.learning_rate} | peer.options
    return same | {"config": config.to_json(), "autocast": dtype == "bfloat16"} | peer.options


def pythons() -> list:
    """The interpreters of the environments."""
    return [sys.executable, str(PYTHON)]
