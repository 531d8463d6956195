"""Curvature of the same classifier in PyTorch, by curvlinops or by PyHessian.

Vectors come and go in Keras' order and layouts: kernels (height, width, in, out) and (in, out).
"""


def load(library, weights, data, batch, dtype="float64", only=None, probes=99, k=5):
    """Functions as of `curvature`.

    library: "curvlinops" or "pyhessian". weights: an .npz of w_0, w_1, ... as `network` takes them.
    """
    import numpy as np
    import torch

    from nvp_tf import runtime

    runtime.keep_memory()
    torch.manual_seed(0)
    number = getattr(torch, dtype)
    with np.load(data) as arrays:
        x, y, v = (arrays[key] for key in ("x", "y", "v"))
    with np.load(weights) as arrays:
        model = network(torch, [arrays[f"w_{i}"] for i in range(len(arrays))]).to(number).eval()
    repeated = np.arange(batch) % len(x)
    x = torch.tensor(x[repeated], dtype=number).permute(0, 3, 1, 2).contiguous()
    y = torch.tensor(y[repeated], dtype=torch.long)
    parameters, loss = list(model.parameters()), torch.nn.CrossEntropyLoss()
    make = {"curvlinops": by_curvlinops, "pyhessian": by_pyhessian}[library]
    product, others = make(torch, model, parameters, loss, x, y, probes, k)
    v = unflattened(torch, v[: sum(p.numel() for p in parameters)], parameters, number)

    def gradient():
        return {"answer": flattened(np, torch.autograd.grad(loss(model(x), y), parameters))}

    functions = {"product": lambda: {"answer": flattened(np, product(v)), "examples": len(y)}, "gradient": gradient}
    functions |= others
    return functions if only is None else {only: functions[only]}


def by_curvlinops(torch, model, parameters, loss, x, y, probes, k):
    import numpy as np
    from curvlinops import HessianLinearOperator, hutchinson_trace, hutchpp_trace
    from scipy.sparse.linalg import eigsh

    operator = HessianLinearOperator(model, loss, parameters, [(x, y)])

    def largest():
        values, _ = eigsh(operator.to_scipy(), k, which="LA", tol=1e-8)
        return {"values": values[::-1]}

    def estimated(estimate):
        # Its estimators give a number without an error: of parts of the probes the spread is had.
        parts = np.array([float(estimate(operator, probes // 3)) for _ in range(3)])
        return {"value": parts.mean(), "error": parts.std(ddof=1) / np.sqrt(3), "products": probes}

    return lambda v: operator @ v, {
        "largest": largest,
        "trace": lambda: estimated(hutchinson_trace),
        "sketched_trace": lambda: {"value": float(hutchpp_trace(operator, probes)), "products": probes},
    }


def by_pyhessian(torch, model, parameters, loss, x, y, probes, k):
    """Of one batch, so that the gradient's graph is kept, as it does there: its quickest way."""
    import numpy as np
    from pyhessian import hessian
    from pyhessian.utils import hessian_vector_product

    made = hessian(model, loss, data=(x, y), cuda=False)

    def largest():
        values, _ = made.eigenvalues(top_n=k)  # until two steps differ by 1e-3, as it does by itself
        return {"values": np.sort(values)[::-1]}

    def trace():
        values = np.array(made.trace(maxIter=probes, tol=0.0))  # by itself it stops when the mean moves by 1e-3
        return {"value": values.mean(), "error": values.std(ddof=1) / np.sqrt(len(values)), "products": len(values)}

    return lambda v: hessian_vector_product(made.gradsH, made.params, v), {"largest": largest, "trace": trace}


def network(torch, weights):
    """The classifier of `workloads/curvature.py`; `weights` are those of the Keras model, in its order."""
    nn = torch.nn
    first, second, head = (value.shape for value in (weights[0], weights[6], weights[12]))

    class Channels(nn.Module):
        """[n, channels, h, w] -> [n, h, w, channels], in which order Keras flattens."""

        def forward(self, x):
            return x.permute(0, 2, 3, 1)

    model = nn.Sequential(
        *(nn.Conv2d(first[2], first[3], 3, padding=1), nn.BatchNorm2d(first[3], eps=1e-3), nn.ReLU(), nn.MaxPool2d(2)),
        *(nn.Conv2d(second[2], second[3], 3, padding=1), nn.BatchNorm2d(second[3], eps=1e-3), nn.ReLU()),
        *(nn.MaxPool2d(2), Channels(), nn.Flatten(), nn.Linear(*head)),
    )
    state = [value for name, value in model.state_dict().items() if "num_batches" not in name]
    with torch.no_grad():
        for own, value in zip(state, weights, strict=True):
            own.copy_(in_torch(torch.tensor(value)))
    return model.double()


def in_torch(value):
    return value.permute(3, 2, 0, 1) if value.ndim == 4 else value.T if value.ndim == 2 else value


def flattened(np, values):
    """Tensors of PyTorch's shapes -> one float64 vector in Keras' order."""
    arrays = [value.detach().double().numpy() for value in values]
    arrays = [a.transpose(2, 3, 1, 0) if a.ndim == 4 else a.T if a.ndim == 2 else a for a in arrays]
    return np.concatenate([array.reshape(-1) for array in arrays])


def unflattened(torch, vector, parameters, dtype):
    """The opposite of `flattened`, for parameters' shapes."""
    parts, start = [], 0
    for parameter in parameters:
        shape = tuple(parameter.shape)
        shape = (*shape[2:], shape[1], shape[0]) if len(shape) == 4 else shape[::-1]
        stop = start + parameter.numel()
        parts.append(in_torch(torch.tensor(vector[start:stop].reshape(shape))).to(dtype).contiguous())
        start = stop
    return parts
