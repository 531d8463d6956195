"""Presets for what is here without a download, sized for two CPU cores."""

from nvp_tf.config.presets.preset import Preset
from nvp_tf.config.schema import (
    Config,
    DataConfig,
    ModelConfig,
    NICEConfig,
    PixelsConfig,
    RealNVPConfig,
    StandardizationConfig,
    TrainConfig,
    VectorRealNVPConfig,
)


def _photographs(side: int, data: DataConfig, filters: int, steps: int, batch_size: int, every: int) -> Config:
    """Four scales for colour photographs, of which an eighth of the latents reaches the last."""
    return Config(
        model=ModelConfig(
            event_shape=(side, side, 3),
            flow=RealNVPConfig(scales=4, filters=filters, blocks=1, checkerboard="packed"),
            pixels=PixelsConfig(),
        ),
        data=data,
        train=TrainConfig(
            steps=steps, batch_size=batch_size, learning_rate=0.002, schedule="cosine", warmup_steps=200, l2=5e-5,
            network_dtype="auto", ema_decay=0.998, evaluate_every=every,
        ),
    )  # fmt: skip


SMALL = {
    "realnvp_two_moons": Preset(
        Config(
            model=ModelConfig(event_shape=(2,), flow=VectorRealNVPConfig()),
            data=DataConfig(name="two_moons"),
            train=TrainConfig(steps=5000, batch_size=256, schedule="cosine", evaluate_every=1000),
        ),
        source="thesis figure 5.1, whose settings are not stated",
        measured="log-density -1.036 nats",
    ),
    "realnvp_table": Preset(
        Config(
            model=ModelConfig(
                event_shape=(2,), flow=VectorRealNVPConfig(couplings=6), standardization=StandardizationConfig()
            ),
            data=DataConfig(name="table"),
            train=TrainConfig(
                steps=3000, batch_size=128, learning_rate=5e-4, schedule="cosine", warmup_steps=100, ema_decay=0.99,
                evaluate_every=50,
            ),
        ),
        source="thesis section 5.1, of vectors in any units",
    ),
    "nice_digits": Preset(
        Config(
            model=ModelConfig(
                event_shape=(8, 8, 1),
                flow=NICEConfig(hidden_layers=2, hidden_units=64),
                pixels=PixelsConfig(levels=17, alpha=0.0),
                prior="logistic",
            ),
            data=DataConfig(name="digits"),
            train=TrainConfig(
                steps=4000, batch_size=100, learning_rate=0.003, schedule="cosine", ema_decay=0.99, evaluate_every=250
            ),
        ),
        source="thesis table 5.1, MNIST, scaled down to 8x8",
        measured="2.807 bits/dim",
    ),
    "realnvp_digits": Preset(
        Config(
            model=ModelConfig(
                event_shape=(8, 8, 1),
                flow=RealNVPConfig(scales=2, couplings=6, filters=32, blocks=1),
                pixels=PixelsConfig(levels=17, alpha=0.002),
            ),
            data=DataConfig(name="digits"),
            train=TrainConfig(
                steps=900, learning_rate=0.002, schedule="cosine", warmup_steps=100, l2=5e-5, network_dtype="auto",
                ema_decay=0.99, evaluate_every=150,
            ),
        ),
        source="thesis section 5.3, two scales of 32 and 64 maps",
        measured="1.938 bits/dim",
    ),
    "realnvp_photos": Preset(
        _photographs(32, DataConfig(name="photos", flips=True), filters=24, steps=4000, batch_size=32, every=400),
        source="thesis section 5.4, 32x32, narrower and less deep for two CPU cores",
        measured="3.196 bits/dim",
    ),
    "realnvp_folder": Preset(
        _photographs(
            64, DataConfig(name="folder", flips=True, size=64, resize=96, crop="random", crops=100),
            filters=16, steps=6000, batch_size=16, every=500,
        ),
        source="thesis section 5.4, LSUN's crops of any photographs, narrower and less deep for two CPU cores",
        measured="3.467 bits/dim on one set of 25 photographs",
    ),
    "nice_fashion_mnist": Preset(
        Config(
            model=ModelConfig(
                event_shape=(28, 28, 1), flow=NICEConfig(), pixels=PixelsConfig(alpha=0.0), prior="logistic"
            ),
            data=DataConfig(name="fashion_mnist"),
            train=TrainConfig(steps=20000, batch_size=100, ema_decay=0.999, evaluate_every=1000),
        ),
        source="thesis table 5.1, the MNIST column, on Fashion-MNIST",
        measured="6.108 bits/dim",
    ),
    "realnvp_fashion_mnist": Preset(
        Config(
            model=ModelConfig(
                event_shape=(28, 28, 1),
                flow=RealNVPConfig(scales=2, blocks=2, checkerboard="packed"),
                pixels=PixelsConfig(alpha=0.0005),
            ),
            data=DataConfig(name="fashion_mnist", flips=True),
            train=TrainConfig(
                steps=7500, learning_rate=0.01, schedule="cosine", warmup_steps=200, l2=5e-5, network_dtype="auto",
                ema_decay=0.999, evaluate_every=750,
            ),
        ),
        source="thesis section 5.3, two scales of 32 and 64 maps for two CPU cores",
        measured="2.957 bits/dim",
    ),
}  # fmt: skip
