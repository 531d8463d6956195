"""What the contenders in PyTorch share. Imported in the environment of the peers."""

import itertools

import torch
import torch._inductor.config

from nvp_tf import runtime


def functions(model, log_prob, sample, x, points, steps, learning_rate, threads=None, compiled=False, autocast=False):
    """{"train", "log_prob", "sample"} of a model, at the settings that made PyTorch fastest here.

    The optimizer is the fused Adam. Gradients are neither clipped nor penalized, and no average of the weights is
    kept, whatever the config says: that is left out in the peers' favour. Answers are made in inference mode.

    Args:
      model: an `nn.Module`.
      log_prob: x -> [n] nats. sample: a number -> samples. Of that model.
      x: a batch to train on. points: what to score; as many are sampled.
      steps: of training in a call.
      learning_rate: Adam's.
      threads: of one operation in training; None for all cores, as in the answers. One is faster for small networks.
      compiled: whether `torch.compile` makes the loss and the answers.
      autocast: whether matrix products and convolutions are in bfloat16.
    """
    runtime.keep_memory()
    cores = torch.get_num_threads()
    optimizer = torch.optim.Adam(model.parameters(), learning_rate, eps=1e-7, fused=True)
    precision = torch.autocast("cpu", torch.bfloat16, enabled=autocast)

    def loss(x):
        with precision:
            return -log_prob(x).mean()

    def scores(x):
        with precision:
            return log_prob(x)

    def samples():
        with precision:
            return sample(len(points))

    if compiled:
        # Weights are constants of the answers, cast once: twice as fast in bfloat16, and not faster in float32.
        torch._inductor.config.freezing = autocast
        loss, scores, samples = (torch.compile(function) for function in (loss, scores, samples))
    count = sum(parameter.numel() for parameter in model.parameters())

    def train():
        torch.set_num_threads(threads or cores)
        model.train()
        for _ in range(steps):
            optimizer.zero_grad(set_to_none=True)
            value = loss(x)
            value.backward()
            optimizer.step()
        return {"answer": value.detach().numpy(), "parameters": count}

    def answer(function, *arguments):
        def call():
            torch.set_num_threads(cores)
            model.eval()
            with torch.inference_mode():
                return {"answer": function(*arguments).float().numpy(), "parameters": count}

        return call

    return {"train": train, "log_prob": answer(scores, points), "sample": answer(samples)}


def network(inputs, units, layers, outputs):
    """The fully connected ReLU network of `nvp_tf.layers.mlp.MLP`; the output starts at 0."""
    widths = [inputs, *[units] * layers]
    hidden = [part for pair in itertools.pairwise(widths) for part in (torch.nn.Linear(*pair), torch.nn.ReLU())]
    last = torch.nn.Linear(widths[-1], outputs)
    torch.nn.init.zeros_(last.weight)
    torch.nn.init.zeros_(last.bias)
    return torch.nn.Sequential(*hidden, last)
