"""Real NVP of 32x32x3, as in the thesis: 8 blocks of 64 maps; batch 16, since 64 takes hours for the same ratios."""

from benchmarks.against import Target
from benchmarks.model_speed import ModelSpeed
from benchmarks.peers import PYTORCH
from nvp_tf.config.presets.registry import get_preset

_WORKLOAD = ModelSpeed(
    "realnvp_cifar10",
    get_preset("realnvp_cifar10").config,
    batches=(16,),
    targets=[Target("train", PYTORCH, 1.1), Target("log_prob", PYTORCH, 1.1)],
)
run, section, markdown = _WORKLOAD.run, _WORKLOAD.section, _WORKLOAD.markdown
