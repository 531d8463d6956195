"""The Real NVP of 8x8 digits that bin/demo trains; batch 64."""

from benchmarks.model_speed import ModelSpeed
from nvp_tf.config.presets.registry import get_preset

_WORKLOAD = ModelSpeed("digits", get_preset("realnvp_digits").config, batches=(64,))
run, section, markdown = _WORKLOAD.run, _WORKLOAD.section, _WORKLOAD.markdown
