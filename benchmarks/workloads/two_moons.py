"""Real NVP of points: 8 affine couplings with 2 layers of 64 units; batch 256."""

from benchmarks.against import Target
from benchmarks.model_speed import ModelSpeed
from benchmarks.peers import FLOWJAX, JAX, PYTORCH
from nvp_tf.config.presets.registry import get_preset

_WORKLOAD = ModelSpeed(
    "two_moons",
    get_preset("realnvp_two_moons").config,
    batches=(256,),
    points=10_000,
    targets=[Target("train", PYTORCH, 2.5), Target("train", FLOWJAX, 1.0), Target("train", JAX, 0.9)],
)
run, section, markdown = _WORKLOAD.run, _WORKLOAD.section, _WORKLOAD.markdown
