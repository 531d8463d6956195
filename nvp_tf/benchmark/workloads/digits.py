"""The Real NVP of 8x8 digits that bin/demo trains; batch 64."""

from nvp_tf import presets
from nvp_tf.benchmark.model_speed import ModelSpeed

_WORKLOAD = ModelSpeed("digits", presets.get("realnvp_digits").config, batches=(64,))
run, section, markdown = _WORKLOAD.run, _WORKLOAD.section, _WORKLOAD.markdown
