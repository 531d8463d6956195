"""The .tflite files of small models with random weights, and what a process that has LiteRT and NumPy got of them; made
once a session."""

import functools
import json

import numpy as np
from cases import randomize
from commands import consume
from exports import MODELS, saved_models
from held_out import reference
from shared import made_once

from nvp_tf.config.schema import ModelConfig, NICEConfig
from nvp_tf.exporting import lite
from nvp_tf.exporting.export import Signatures
from nvp_tf.models.build import build

NAMES = [*MODELS, "logistic"]
STRANGER = """
import json, sys
import numpy as np
from ai_edge_litert.interpreter import Interpreter

def wrong(x, D):
    "what: (signature, inputs that are wrong)"
    z = np.zeros((2, D), np.float32)
    nan, inf = np.full_like(z, np.nan), np.full_like(z, np.inf)
    yield "dtype", "log_prob", {name: x[:2].astype(np.int32)}
    yield "rank", "log_prob", {name: x[0]}
    yield "depth", "log_prob", {name: np.concatenate([x[:2]] * 3, axis=-1)}
    yield "size", "encode", {name: x[:2, :-1]}
    yield "empty", "log_prob", {name: x[:0]}
    yield "no latents", "decode", {"latents": z[:0]}
    yield "wide latents", "decode", {"latents": np.concatenate([z, z], axis=1)}
    yield "nan latents", "decode", {"latents": nan}
    yield "infinite latents", "decode", {"latents": -inf}
    for t in (0, -1, np.nan, np.inf):
        yield f"temperature {t}", "sample", {"noise": z + 1, "temperature": np.float32(t)}
    yield "impossible", "log_prob", {name: x[:2] * 0 + 200 if x.dtype == np.uint8 else nan}
    yield "far", "log_prob", {name: x[:2] * 0 + 5 if x.dtype == np.uint8 else z + 500}

told = {}
for path, inputs, outputs in zip(*[iter(sys.argv[1:])] * 3):
    model, x = Interpreter(path), np.load(inputs)[:256]
    signatures = model.get_signature_list()
    [name] = signatures["log_prob"]["inputs"]
    run = {key: model.get_signature_runner(key) for key in signatures}
    arrays = {}
    for n in (256, 1, 7):
        parts = [run["log_prob"](**{name: x[i : i + n]})["log_prob"] for i in range(0, 256, n)]
        arrays[f"by_{n}"] = np.concatenate(parts)
    x = x[:60]
    for key in ("score", "explain"):
        arrays |= {f"{key}_{output}": values for output, values in run[key](**{name: x}).items()}
    arrays["latents"] = run["encode"](**{name: x})["latents"]
    arrays |= {f"decoded_{key}": values for key, values in run["decode"](latents=arrays["latents"]).items()}
    D = arrays["latents"].shape[1]
    arrays["noise"] = np.random.default_rng(0).standard_normal((5, D), np.float32)
    drawn = run["sample"](noise=arrays["noise"], temperature=np.float32(0.5))
    arrays |= {f"drawn_{key}": values for key, values in drawn.items()}
    answers = {}
    for what, signature, values in wrong(x, D):
        try:
            answers[what] = {key: np.ravel(v)[:3].tolist() for key, v in run[signature](**values).items()}
        except (ValueError, RuntimeError) as error:
            answers[what] = str(error)
    arrays["after"] = run["log_prob"](**{name: x})["log_prob"]
    np.savez(outputs, **arrays)
    told[path] = {"signatures": {key: sorted(value["inputs"] + value["outputs"]) for key, value in signatures.items()},
                  "answers": answers}
packages = {module.split(".")[0] for module in sys.modules}
print(json.dumps({"told": told, "foreign": sorted(packages & {"tensorflow", "keras", "nvp_tf"})}))
"""


@functools.cache
def lite_files():
    """{(model, file): (flow, reference, x, the path, the stranger's arrays, its other answers)}."""
    nice = build(ModelConfig((6,), NICEConfig(couplings=2, hidden_layers=2, hidden_units=40), prior="logistic"))
    flows = {name: (flow, x) for name, (flow, x, _) in saved_models().items()}
    flows["logistic"] = randomize(nice, spread=0.3), np.random.RandomState(0).randn(300, 6).astype(np.float32)
    known = {
        name: reference(flow.event, x[100:], flow.log_prob(x[100:]).numpy(), usual=2)
        for name, (flow, x) in flows.items()
    }

    def make(folder):
        arguments = []
        for name, (flow, x) in flows.items():
            (folder / name).mkdir()
            lite.write(Signatures(flow, known[name]), folder / name)
            np.save(folder / f"{name}.npy", x)
            for file in lite.FILES:
                arguments += [folder / name / file, folder / f"{name}.npy", folder / f"{name}-{file}.npz"]
        (folder / "told.json").write_text(json.dumps(consume(STRANGER, *arguments, cwd="/")))

    folder = made_once("lite", make)
    told = json.loads((folder / "told.json").read_text())
    assert told["foreign"] == []
    files = {}
    for name, (flow, x) in flows.items():
        for file in lite.FILES:
            path, arrays = folder / name / file, dict(np.load(folder / f"{name}-{file}.npz"))
            files[name, file] = flow, known[name], x, path, arrays, told["told"][str(path)]
    return files
