"""Real NVP of 32x32x1: 4 blocks of 32 maps, two scales, masked; batch 64."""

from benchmarks.against import Target
from benchmarks.model_speed import ModelSpeed
from benchmarks.peers import PYTORCH
from nvp_tf.config.schema import Config, DataConfig, ModelConfig, PixelsConfig, RealNVPConfig, TrainConfig

_WORKLOAD = ModelSpeed(
    "realnvp_small",
    Config(
        ModelConfig((32, 32, 1), RealNVPConfig(scales=2, filters=32, blocks=4), PixelsConfig()),
        DataConfig("none"),
        TrainConfig(l2=5e-5),
    ),
    batches=(64,),
    targets=[Target("train", PYTORCH, 1.1), Target("log_prob", PYTORCH, 1.1)],
)
run, section, markdown = _WORKLOAD.run, _WORKLOAD.section, _WORKLOAD.markdown
