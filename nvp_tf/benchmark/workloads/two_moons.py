"""Real NVP of points: 8 affine couplings with 2 layers of 64 units; batch 256."""

from nvp_tf import presets
from nvp_tf.benchmark.against import Target
from nvp_tf.benchmark.model_speed import ModelSpeed
from nvp_tf.benchmark.peers import FLOWJAX, JAX, PYTORCH

_WORKLOAD = ModelSpeed(
    "two_moons",
    presets.get("realnvp_two_moons").config,
    batches=(256,),
    points=10_000,
    targets=[Target("train", PYTORCH, 2.5), Target("train", FLOWJAX, 1.0), Target("train", JAX, 0.9)],
)
run, section, markdown = _WORKLOAD.run, _WORKLOAD.section, _WORKLOAD.markdown
