"""A SavedModel through TensorFlow's C API: ctypes and NumPy, no Python TensorFlow. Run as a script.

python -I c_api_client.py LIBRARIES [MODEL EXAMPLES.npy ANSWERS.npz]...

LIBRARIES is the folder of libtensorflow_cc.so.2. Asks every signature of each model about its examples,
writes the answers, and prints one line of JSON: the refusals by model, and the loaded modules.
"""

import ctypes
import json
import sys
from ctypes import POINTER, byref, c_char_p, c_int, c_int64, c_size_t, c_void_p

import numpy as np

DTYPES = {1: np.float32, 3: np.int32, 4: np.uint8, 9: np.int64}  # tensorflow/core/framework/types.proto
NUMBERS = {np.dtype(dtype): number for number, dtype in DTYPES.items()} | {np.dtype(np.float64): 2}
BATCHES = (1, 7, 256)
DRAW = {"num_samples": np.int32(6), "seed": np.int64(7), "temperature": np.float32(0.8)}


class Output(ctypes.Structure):
    _fields_ = (("operation", c_void_p), ("index", c_int))


class Buffer(ctypes.Structure):
    _fields_ = (("data", c_void_p), ("length", c_size_t), ("free", c_void_p))


class Library:
    """The C functions that are needed; a status that is not OK is a RuntimeError with its message."""

    def __init__(self, folder):
        self.c = ctypes.CDLL(f"{folder}/libtensorflow_cc.so.2")
        pointers = ["NewStatus", "NewGraph", "NewSessionOptions", "NewBuffer", "AllocateTensor", "TensorData"]
        for name in [*pointers, "LoadSessionFromSavedModel", "GraphOperationByName"]:
            self[name].restype = c_void_p
        self["Message"].restype = c_char_p
        self["TensorByteSize"].restype = c_size_t
        self["Dim"].restype = c_int64
        self["GraphOperationByName"].argtypes = (c_void_p, c_char_p)
        self["AllocateTensor"].argtypes = (c_int, POINTER(c_int64), c_int, c_size_t)
        for name in ("TensorData", "TensorByteSize", "NumDims", "TensorType", "DeleteTensor", "GetCode", "Message"):
            self[name].argtypes = (c_void_p,)
        self["Dim"].argtypes = (c_void_p, c_int)
        self["LoadSessionFromSavedModel"].argtypes = (
            *(c_void_p, c_void_p, c_char_p, POINTER(c_char_p), c_int),
            *(c_void_p, POINTER(Buffer), c_void_p),
        )
        self["SessionRun"].argtypes = (
            *(c_void_p, c_void_p, POINTER(Output), POINTER(c_void_p), c_int),
            *(POINTER(Output), POINTER(c_void_p), c_int, c_void_p, c_int, c_void_p, c_void_p),
        )
        self.status = self["NewStatus"]()

    def __getitem__(self, name):
        return getattr(self.c, f"TF_{name}")

    def check(self):
        if self["GetCode"](self.status):
            raise RuntimeError(self["Message"](self.status).decode())

    def tensor(self, array):
        array = np.ascontiguousarray(array).reshape(np.shape(array))
        dims = (c_int64 * max(1, array.ndim))(*array.shape)
        tensor = self["AllocateTensor"](NUMBERS[array.dtype], dims, array.ndim, array.nbytes)
        ctypes.memmove(self["TensorData"](tensor), array.ctypes.data, array.nbytes)
        return tensor

    def array(self, tensor):
        shape = [self["Dim"](tensor, i) for i in range(self["NumDims"](tensor))]
        array = np.empty(shape, DTYPES[self["TensorType"](tensor)])
        ctypes.memmove(array.ctypes.data, self["TensorData"](tensor), self["TensorByteSize"](tensor))
        return array


class Model:
    """The signatures of the meta graph `serve`: signature -> ({input: tensor}, {output: tensor})."""

    def __init__(self, library, folder):
        self.library = library
        self.graph, meta_graph = library["NewGraph"](), Buffer()
        self.session = library["LoadSessionFromSavedModel"](
            *(library["NewSessionOptions"](), None, folder.encode(), (c_char_p * 1)(b"serve"), 1),
            *(self.graph, byref(meta_graph), library.status),
        )
        library.check()
        self.signatures = signatures(ctypes.string_at(meta_graph.data, meta_graph.length))

    def ask(self, signature, **arrays):
        """{output: array}."""
        library, (names_in, names_out) = self.library, self.signatures[signature]
        feeds = (Output * len(arrays))(*(self._output(names_in[name]) for name in arrays))
        given = (c_void_p * len(arrays))(*(library.tensor(array) for array in arrays.values()))
        fetches = (Output * len(names_out))(*(self._output(name) for name in names_out.values()))
        gotten = (c_void_p * len(names_out))()
        library["SessionRun"](
            *(self.session, None, feeds, given, len(feeds), fetches, gotten, len(fetches)),
            *(None, 0, None, library.status),
        )
        for tensor in given:
            library["DeleteTensor"](tensor)
        library.check()
        answers = {name: library.array(tensor) for name, tensor in zip(names_out, gotten, strict=True)}
        for tensor in gotten:
            library["DeleteTensor"](tensor)
        return answers

    def _output(self, name):
        operation, _, index = name.partition(":")
        return Output(self.library["GraphOperationByName"](self.graph, operation.encode()), int(index))


def signatures(meta_graph):
    """MetaGraphDef: signature_def (5), a map to SignatureDef: inputs (1), outputs (2), maps to TensorInfo: name (1)."""

    def entries(message, field):
        for number, entry in fields(message):
            if number == field:
                pair = dict(fields(entry))
                yield pair[1].decode(), pair[2]

    def tensors(signature, field):
        return {key: dict(fields(info))[1].decode() for key, info in entries(signature, field)}

    return {key: (tensors(signature, 1), tensors(signature, 2)) for key, signature in entries(meta_graph, 5)}


def fields(message):
    """(number, value) of a protocol buffer's fields: an int, or bytes of what has a length."""
    position = 0

    def varint():
        nonlocal position
        value = shift = 0
        while True:
            byte = message[position]
            position, value, shift = position + 1, value | (byte & 127) << shift, shift + 7
            if byte < 128:
                return value

    while position < len(message):
        key = varint()
        kind = key & 7
        if kind == 0:
            yield key >> 3, varint()
        else:
            length = {1: 8, 5: 4}.get(kind) or varint()
            yield key >> 3, message[position : position + length]
            position += length


def answers_about(model, x):
    """Every signature's answers: {"signature/output": array}; log_prob also by batches of 1 and 7."""
    [name] = model.signatures["log_prob"][0]

    def ask(signature, batch=BATCHES[-1], **scalars):
        parts = [model.ask(signature, **{name: x[i : i + batch]}, **scalars) for i in range(0, len(x), batch)]
        return {output: np.concatenate([part[output] for part in parts]) for output in parts[0]}

    answers = {f"by_{batch}": ask("score", batch) for batch in BATCHES}
    answers |= {signature: ask(signature) for signature in ("serving_default", "log_prob", "encode")}
    answers["log_prob_with_noise"] = model.ask(
        "log_prob_with_noise", **{name: x[:20]}, num_samples=np.int32(3), seed=np.int64(5)
    )
    answers["decode"] = model.ask("decode", latents=answers["encode"]["latents"][:256])
    answers["sample"] = model.ask("sample", **DRAW)
    answers["fresh"] = model.ask("sample", **DRAW | {"seed": np.int64(-1)})
    answers["empty"] = model.ask("score", **{name: x[:0]})
    answers["none"] = model.ask("sample", **DRAW | {"num_samples": np.int32(0)})
    return {f"{what}/{output}": array for what, outputs in answers.items() for output, array in outputs.items()}


def refusals(model, x):
    """What is refused -> the status' message, or the answer's names if it is not refused."""
    [name] = model.signatures["log_prob"][0]
    latents = np.zeros((2, x[0].size), np.float32)
    questions = {
        "dtype": ("log_prob", {name: x.astype(np.float64)}),
        "rank": ("log_prob", {name: x[0]}),
        "depth": ("score", {name: np.concatenate([x, x], axis=-1)}),
        "latents": ("decode", {"latents": latents[:, 1:]}),
        "nan": ("decode", {"latents": latents * np.float32(np.nan)}),
        "num_samples": ("sample", DRAW | {"num_samples": np.int32(-1)}),
        "temperature": ("sample", DRAW | {"temperature": np.float32(np.nan)}),
        "draws": ("log_prob_with_noise", {name: x, "num_samples": np.int32(0), "seed": np.int64(1)}),
    }
    said = {}
    for what, (signature, inputs) in questions.items():
        try:
            said[what] = f"answered {sorted(model.ask(signature, **inputs))}"
        except RuntimeError as error:
            said[what] = f"error: {error}"
    return said


def main(libraries, *arguments):
    library, said = Library(libraries), []
    for folder, examples, answers in zip(*[iter(arguments)] * 3, strict=True):
        model, x = Model(library, folder), np.load(examples)
        np.savez(answers, **answers_about(model, x))
        said.append(refusals(model, x[:3]))
    print(json.dumps({"refusals": said, "modules": sorted({module.split(".")[0] for module in sys.modules})}))


if __name__ == "__main__":
    main(*sys.argv[1:])
