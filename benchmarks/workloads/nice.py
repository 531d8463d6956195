"""NICE of 784 dimensions, as in the thesis: 4 couplings of 5 layers of 1000 units; batch 100."""

from benchmarks.against import Target
from benchmarks.model_speed import ModelSpeed
from benchmarks.peers import PYTORCH
from nvp_tf.config.presets.registry import get_preset

_WORKLOAD = ModelSpeed(
    "nice",
    get_preset("nice_mnist").config,
    batches=(100,),
    targets=[Target("train", PYTORCH, 1.25)],
)
run, section, markdown = _WORKLOAD.run, _WORKLOAD.section, _WORKLOAD.markdown
