"""Real NVP of 32x32x3, as in the thesis: 8 blocks of 64 maps; batches 16 and 64."""

from nvp_tf import presets
from nvp_tf.benchmark.against import Target
from nvp_tf.benchmark.model_speed import ModelSpeed
from nvp_tf.benchmark.peers import PYTORCH

_WORKLOAD = ModelSpeed(
    "realnvp_cifar10",
    presets.get("realnvp_cifar10").config,
    batches=(16, 64),
    targets=[Target("train", PYTORCH, 1.1), Target("log_prob", PYTORCH, 1.1)],
)
run, section, markdown = _WORKLOAD.run, _WORKLOAD.section, _WORKLOAD.markdown
