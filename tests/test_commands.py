"""What a person gets wrong is answered by one line and status 2, and leaves nothing half-written."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from commands import (
    ENVIRONMENT,
    ROOT,
    TRAIN_DIGITS,
    digits_run,
    error_line,
    figures,
    finish,
    leftovers,
    run,
    run_without_tensorflow,
    start,
    start_cold,
)
from PIL import Image

import nvp_tf
from nvp_tf.__main__ import NAMES
from nvp_tf.config.schema import DataConfig
from nvp_tf.data.arrays import from_arrays
from nvp_tf.data.registry import load_dataset
from nvp_tf.errors import UserError
from nvp_tf.runs.opened import check_fits
from nvp_tf.runs.run_dir import RunDir
from nvp_tf.training.train import train

DIGITS = "--preset=realnvp_digits"
# (what the line says, command, flags): answered before TensorFlow is imported.
FLAGS = [
    ("|nice_digits|", "train", "--preset=realnvp_digit"),
    ("not_a_flag", "train", DIGITS, "--not_a_flag=1"),
    ("unexpected argument 'runs/digits'", "train", DIGITS, "runs/digits"),
    ("<mirrored|multiworker|none>", "train", DIGITS, "--strategy=tpu"),
    ("--set needs --preset", "train", "--set=train.steps=5"),
    ("expected key=value", "train", DIGITS, "--set=train.steps"),
    ("unknown key 'train.stepz', expected one of steps,", "train", DIGITS, "--set=train.stepz=5"),
    ("unknown key 'model.flow.filters.x'", "train", DIGITS, "--set=model.flow.filters.x=5"),
    ("config.train.steps is 0, expected 1 to inf", "train", DIGITS, "--set=train.steps=0"),
    ("config.train.steps is 'many', expected int", "train", DIGITS, "--set=train.steps=many"),
    ("config.train.learning_rate is nan, expected", "train", DIGITS, "--set=train.learning_rate=NaN"),
    ("config.model.flow.kind is 'glow', expected one of nice,", "train", DIGITS, "--set=model.flow.kind=glow"),
    ("divisible by 16 for 5 scales", "train", DIGITS, "--set=model.flow.scales=5"),
    ("expected one of train, valid, test", "evaluate", "--split=testing"),
    ("<best|last>", "evaluate", "--weights=worst"),
    ("noise_samples", "evaluate", "--noise_samples=0"),
    ("export_dir", "export"),
    ("temperature", "sample", "--out=x.png", "--temperature=-1"),
    ("num", "sample", "--out=x.png", "--num=none"),
]


def test_flags(tmp_path):
    folder = tmp_path / "runs" / "run"
    for says, command, *flags in FLAGS:
        line = error_line(run_without_tensorflow(tmp_path / "none", command, f"--run_dir={folder}", *flags))
        assert says in line, f"{command} {flags}: {line}"
    assert "run_dir" in error_line(run("train", DIGITS))
    assert not (tmp_path / "runs").exists()


def half_written(name, content):
    """A run's copy with one file of other bytes: `content(bytes) -> bytes`."""

    def make(folder):
        shutil.copytree(digits_run()[0], folder)
        (folder / name).write_bytes(content((folder / name).read_bytes()))

    return make


def only_config(folder):
    folder.mkdir()
    shutil.copy(digits_run()[0] / "config.json", folder)


def a_file(folder):
    folder.write_text("not a folder")


def other_files(folder):
    folder.mkdir()
    (folder / "thesis.txt").write_text("mine")


def corrupt_checkpoints(folder):
    shutil.copytree(digits_run()[0], folder)
    for file in (folder / "checkpoints").iterdir():
        file.write_bytes(file.read_bytes()[:-1])


def no_checkpoints(folder):
    shutil.copytree(digits_run()[0], folder)
    shutil.rmtree(folder / "checkpoints")


BEST, CONFIG = "best.weights.h5", "config.json"
# name: (what the line says, how the folder is made, whether it is for training: else for everything that loads)
FOLDERS = {
    "missing": ("is not a run: it has no config.json", lambda folder: None, False),
    "a_file": ("is not a run", a_file, False),
    "other_files": ("is not a run", other_files, False),
    "only_config": (f"has no {BEST}: the run has no evaluated weights yet", only_config, False),
    "config_cut": (f"{CONFIG}: not JSON", half_written(CONFIG, lambda b: b[: len(b) // 2]), False),
    "config_binary": (CONFIG, half_written(CONFIG, lambda b: b"\xff\xfe\x00"), False),
    "config_empty": (f"{CONFIG}: not JSON", half_written(CONFIG, lambda b: b""), False),
    "config_other": ("unknown key 'modle'", half_written(CONFIG, lambda b: b.replace(b"model", b"modle")), False),
    "best_cut": (f"{BEST} is corrupt", half_written(BEST, lambda b: b[: len(b) // 2]), False),
    "best_cut_at_the_end": (f"{BEST} is corrupt", half_written(BEST, lambda b: b[:-100]), False),
    "best_empty": (f"{BEST} is corrupt", half_written(BEST, lambda b: b""), False),
    "best_garbage": (f"{BEST} is corrupt", half_written(BEST, lambda b: bytes(range(256)) * 40), False),
    "best_of_another": (
        f"{BEST} is corrupt or of another model",
        half_written(CONFIG, lambda b: b.replace(b'"filters": 4', b'"filters": 5')),
        False,
    ),
    "best_of_a_smaller": (
        f"{BEST} is corrupt or of another model",
        half_written(CONFIG, lambda b: b.replace(b'"couplings": 1', b'"couplings": 2')),
        False,
    ),
    "best_of_a_larger": (
        f"{BEST} is corrupt or of another model",
        half_written(CONFIG, lambda b: b.replace(b'"scales": 2', b'"scales": 1')),
        False,
    ),
    "checkpoints_cut": ("each of its 2 checkpoints is corrupt", corrupt_checkpoints, True),
    "checkpoints_gone": ("has weights but no checkpoint to go on from", no_checkpoints, True),
    "trained_a_file": ("is not a run", a_file, True),
    "trained_other_files": ("is not empty: choose another run_dir", other_files, True),
    "trained_other_config": (
        "holds a run of another config (train.seed: 9 != 0): choose another run_dir",
        half_written(CONFIG, lambda b: b.replace(b'"seed": 0', b'"seed": 9')),
        True,
    ),
}


@pytest.mark.parametrize("name", FOLDERS)
def test_folders(name, tmp_path):
    says, make, trained = FOLDERS[name]
    folder = tmp_path / "run"
    make(folder)
    before = contents(tmp_path)
    with pytest.raises(UserError) as caught:
        if trained:
            train(RunDir(digits_run()[0]).config, load_dataset(DataConfig("digits")), folder, progress=False)
        else:
            nvp_tf.load(folder)
    assert says in str(caught.value) and "\n" not in str(caught.value)
    assert str(folder) in str(caught.value)
    assert contents(tmp_path) == before


def contents(folder):
    return {str(path): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.mark.slow
def test_folders_and_names_by_command(tmp_path):
    """A few of the above, and what the system refuses, as whole commands; two at a time."""
    whole, below_file, cut = digits_run()[0], tmp_path / "file" / "run", tmp_path / "cut"
    (tmp_path / "file").write_text("")
    FOLDERS["best_cut"][1](cut)
    before = contents(tmp_path)
    table = [
        ("no config.json", "evaluate", f"--run_dir={tmp_path / 'none'}"),
        ("corrupt", "sample", f"--run_dir={cut}", f"--out={tmp_path / 'x.png'}"),
        ("suffix '.txt'", "sample", f"--run_dir={whole}", f"--out={tmp_path / 'x.txt'}"),
        ("irectory", "sample", f"--run_dir={whole}", "--num=1", f"--out={below_file / 'x.png'}"),
        ("irectory", "export", f"--run_dir={whole}", f"--export_dir={below_file}"),
        ("irectory", "train", *TRAIN_DIGITS, f"--run_dir={below_file}"),
        ("/proc", "train", *TRAIN_DIGITS, "--run_dir=/proc/nvp_tf"),
        ("another config (train.seed: 0 != 1)", "train", *TRAIN_DIGITS, f"--run_dir={whole}", "--set=train.seed=1"),
        ("expected one of two_moons,", "train", DIGITS, f"--run_dir={tmp_path / 'new'}", "--dataset=digit"),
        ("expected 1 to 1400", "train", *TRAIN_DIGITS, f"--run_dir={tmp_path / 'b'}", "--set=train.batch_size=1401"),
    ]
    for pair in (table[i : i + 2] for i in range(0, len(table), 2)):
        for (says, *_), process in zip(pair, [start(*command) for _, *command in pair], strict=True):
            line = error_line(finish(process))
            assert says in line, line
    assert contents(tmp_path) == before and not leftovers(whole)


@pytest.mark.parametrize(
    "says, array",
    [
        ("divisible by 2 for 2 scales", np.zeros((30, 5, 5), np.uint8)),
        ("divisible by 2 for 2 scales", np.zeros((30, 6, 7, 3), np.uint8)),
        ("for flow kind realnvp", np.zeros((30, 4), np.float32)),
        ("has type float32, expected integers 0..255", np.zeros((30, 4, 4, 1), np.float32)),
        ("expected images [n, h, w(, c)]", np.zeros((30, 4, 4, 1, 1), np.uint8)),
        ("has values 0 to 256", np.full((30, 4, 4), np.arange(30)[:, None, None] * 256 // 29)),
        ("batch_size is 64, expected 1 to 24", np.zeros((30, 4, 4), np.uint8)),
    ],
)
def test_data_that_a_model_is_not_for(says, array, tmp_path):
    with pytest.raises(UserError) as caught:
        nvp_tf.train(nvp_tf.preset("realnvp_digits", "model.flow.filters=2"), array, tmp_path / "run", progress=False)
    assert says in str(caught.value) and "\n" not in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_data_of_another_depth():
    config = RunDir(digits_run()[0]).config
    for array, levels in ((np.zeros((9, 8, 8, 3), np.uint8), 17), (np.zeros((9, 8, 8), np.uint8), 256)):
        with pytest.raises(UserError, match=r"expected 8x8x1 of 17 levels as in the config"):
            check_fits(config, from_arrays(array, levels=levels))


@pytest.mark.parametrize(
    "says, x",
    [
        ("images have dtype float32, expected integers 0 to 16", np.zeros((1, 8, 8, 1), np.float32)),
        ("data has shape (8, 8, 1), expected (n, 8, 8, 1)", np.zeros((8, 8, 1), np.uint8)),
        ("data has shape (1, 8, 8, 3), expected (n, 8, 8, 1)", np.zeros((1, 8, 8, 3), np.uint8)),
        ("data has shape (1, 64), expected (n, 8, 8, 1)", np.zeros((1, 64), np.uint8)),
    ],
)
def test_calls_with_other_values(says, x):
    flow = nvp_tf.load(digits_run()[0])
    for method in (flow.log_prob, flow.bits_per_dim, flow.encode):
        with pytest.raises(UserError) as caught:
            method(x)
        assert str(caught.value) == says
    with pytest.raises(UserError, match=r"latents have shape \(1, 63\), expected \(n, 64\)"):
        flow.decode(np.zeros((1, 63), np.float32))


@pytest.mark.parametrize("command", ["train", "evaluate", "sample", "export"])
def test_help_is_quick(command):
    status, out, err = finish(start_cold(command, "--help"))
    assert (status, err) == (0, "")
    assert "--run_dir" in out and f"nvp_tf {command}" in out


def test_help_loads_neither_tensorflow_nor_numpy():
    """So it takes a third of a second: what is slow is their import, and no clock has to say so."""
    script = "import sys; from nvp_tf.__main__ import main; sys.argv = ['nvp_tf', '{}', '--help']\n"
    script += "try: main()\nexcept SystemExit: pass\n"
    script += "print(sorted({{'tensorflow', 'keras', 'numpy'}} & set(sys.modules)))"
    for name in NAMES:
        line = [sys.executable, "-c", script.format(name)]
        done = subprocess.run(line, env=ENVIRONMENT, capture_output=True, text=True, cwd=ROOT)
        assert done.stdout.endswith("\n[]\n"), (name, done.stdout[-200:], done.stderr)


def test_sample_prints_json_and_the_seed_decides(tmp_path):
    path, _ = digits_run()
    wanted = {"num": 5, "temperature": 0.7, "seed": 3, "run_dir": str(path)}
    flags = [f"--{key}={value}" for key, value in wanted.items()]
    status, out, err = finish(start_cold("sample", *flags, f"--out={tmp_path / 'new' / 'x.npy'}"))
    printed = json.loads(out)
    assert (status, err) == (0, "")  # nothing of TensorFlow's own, which says much when it is imported
    assert printed == wanted | {"out": str(tmp_path / "new" / "x.npy")}
    images = np.load(printed["out"])
    assert images.dtype == np.uint8 and images.shape == (5, 8, 8, 1) and images.max() <= 16
    # Another process and another thread count may round a value to the next integer.
    again = nvp_tf.load(path).sample(5, seed=3, temperature=0.7).numpy()
    assert (again == images).mean() > 0.99
    assert figures("sample", f"--run_dir={path}", f"--out={tmp_path / 'x.png'}")["num"] == 64
    assert Image.open(tmp_path / "x.png").size[0] >= 480
    assert not leftovers(tmp_path) and json.dumps(printed)
