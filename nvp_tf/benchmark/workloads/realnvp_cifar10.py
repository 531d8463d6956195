"""Real NVP of 32x32x3, as in the thesis: 8 blocks of 64 maps; batches 16 and 64."""

from nvp_tf import presets
from nvp_tf.benchmark.model_speed import ModelSpeed

_WORKLOAD = ModelSpeed("realnvp_cifar10", presets.get("realnvp_cifar10").config, batches=(16, 64))
run, section, markdown = _WORKLOAD.run, _WORKLOAD.section, _WORKLOAD.markdown
