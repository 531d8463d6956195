"""NICE of 784 dimensions, as in the thesis: 4 couplings of 5 layers of 1000 units; batch 100."""

from nvp_tf import presets
from nvp_tf.benchmark.against import Target
from nvp_tf.benchmark.model_speed import ModelSpeed
from nvp_tf.benchmark.peers import PYTORCH

_WORKLOAD = ModelSpeed(
    "nice",
    presets.get("nice_mnist").config,
    batches=(100,),
    targets=[Target("train", PYTORCH, 1.25)],
)
run, section, markdown = _WORKLOAD.run, _WORKLOAD.section, _WORKLOAD.markdown
