"""Real NVP of points: 8 affine couplings with 2 layers of 64 units; batch 256."""

from nvp_tf import presets
from nvp_tf.benchmark.model_speed import ModelSpeed

_WORKLOAD = ModelSpeed("two_moons", presets.get("realnvp_two_moons").config, batches=(256,))
run, section, markdown = _WORKLOAD.run, _WORKLOAD.section, _WORKLOAD.markdown
