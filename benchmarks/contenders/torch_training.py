"""A Real NVP in PyTorch, trained as a PyTorch re-implementation of the thesis does it, and scored on the way.

Adam at a constant 1e-3, gradients clipped at a norm of 100, an l2 penalty of the weight-norm scales, mirrored images,
networks in bfloat16; the score is of held-out images with the running statistics of batch normalization.
"""

BATCH, RATE, CLIP, PENALTY = 64, 1e-3, 100.0, 5e-5


def load(config, data, minutes, every):
    """config: a ModelConfig's, within a Config, as JSON. data: an .npz of `train` and `valid`, uint8 NHWC.

    minutes: of training, without the scoring. every: so many of them the held-out images are scored.
    """
    import itertools
    import math
    import time

    import numpy as np
    import torch

    from benchmarks import torch_models
    from nvp_tf import runtime
    from nvp_tf.config.schema import Config

    runtime.keep_memory()
    torch.manual_seed(0)
    model = torch_models.of(Config.from_json(config).model)
    optimizer = torch.optim.Adam(model.parameters(), RATE, fused=True)
    precision = torch.autocast("cpu", torch.bfloat16)
    scales = [value for name, value in model.named_parameters() if name.endswith("magnitude")]
    with np.load(data) as arrays:
        train, valid = (
            torch.from_numpy(arrays[key]).permute(0, 3, 1, 2).contiguous(memory_format=torch.channels_last)
            for key in ("train", "valid")
        )
    order = torch.Generator().manual_seed(1)
    noise = torch.rand(valid.shape, generator=order)

    def batches():
        while True:
            for chosen in torch.randperm(len(train), generator=order).split(BATCH):
                x = train[chosen]
                flipped = torch.rand(len(x), 1, 1, 1, generator=order) < 0.5
                yield torch.where(flipped, x.flip(3), x)

    def step(x):
        model.train()
        optimizer.zero_grad(set_to_none=True)
        with precision:
            loss = -model.log_prob(x, torch.rand(x.shape)).mean()
        (loss + PENALTY * sum(scale.square().sum() for scale in scales)).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        optimizer.step()

    def score():
        model.eval()
        with torch.inference_mode(), precision:
            parts = zip(valid.split(256), noise.split(256), strict=True)
            nats = torch.cat([model.log_prob(x, n).float() for x, n in parts]).mean().item()
        return -nats / (valid[0].numel() * math.log(2))

    def curve():
        found, spent, images, due = {"minutes": [], "images": [], "bits_per_dim": []}, 0.0, 0, itertools.count(1)
        next_score = next(due) * every
        for x in batches():
            began = time.perf_counter()
            step(x)
            spent, images = spent + (time.perf_counter() - began) / 60, images + len(x)
            if spent >= min(next_score, minutes):
                next_score = next(due) * every
                for name, value in zip(found, (spent, images, score()), strict=True):
                    found[name].append(value)
            if spent >= minutes:
                return {name: np.array(values) for name, values in found.items()}

    return {"score": lambda: {"bits_per_dim": score()}, "curve": curve}
