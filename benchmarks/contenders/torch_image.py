"""NICE or Real NVP of images in plain PyTorch, of the shape of a config: channels last, the fused Adam."""


def load(config, batch, points, steps, autocast=False, compiled=False):
    """config: a Config as JSON. batch: to train on; points: to score, and to sample. The others: as of
    `torch_speed.functions`."""
    import torch

    from benchmarks import torch_models
    from benchmarks.torch_speed import functions
    from nvp_tf.config.schema import Config

    config = Config.from_json(config)
    model = torch_models.of(config.model)
    height, width, channels = config.model.event_shape
    noise = torch.rand(max(batch, points), channels, height, width).to(memory_format=torch.channels_last)
    x = (config.model.pixels.levels * torch.rand_like(noise)).to(torch.uint8)
    log_prob = lambda x: model.log_prob(x, noise[: len(x)])  # noqa: E731
    rate = config.train.learning_rate
    return functions(
        model, log_prob, model.sample, x[:batch], x[:points], steps, rate, compiled=compiled, autocast=autocast
    )
