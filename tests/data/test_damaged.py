"""Published data sets that are damaged, or of which files are missing, are refused in one line that names the file."""

import pickle
import shutil

import numpy as np
import pytest
import scipy.io
from published import LAYOUTS, noise, rows, write_cifar_pickles

from nvp_tf.config.schema import DataConfig
from nvp_tf.data.registry import load_dataset
from nvp_tf.errors import UserError


def damage(name, how):
    """A data set on disk that something is wrong with."""

    def make(root):
        train, test = noise(45, 32, 32), noise(6, 32, 32)
        layout = {n: w for n, _, w in LAYOUTS.values()}[name] if name != "cifar10" else write_cifar_pickles
        layout(root, train, test)
        how(root)

    return make


def truncate(pattern, share=0.5):
    def how(root):
        [file] = root.glob(pattern)
        file.write_bytes(file.read_bytes()[: int(share * file.stat().st_size)])

    return how


def evil(root):
    class Evil:
        def __reduce__(self):
            return (print, ("this ran",))

    (root / "cifar-10-batches-py" / "test_batch").write_bytes(pickle.dumps({b"data": Evil()}))


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("svhn", damage("svhn", truncate("test_32x32.mat")), "test_32x32.mat cannot be read"),
        ("svhn", damage("svhn", lambda r: (r / "test_32x32.mat").unlink()), "test_32x32.mat is missing"),
        (
            "svhn",
            lambda r: scipy.io.savemat(r / "train_32x32.mat", {"X": np.zeros((3, 4))}),
            r"X of float64 \(3, 4\), expected uint8 \(32, 32, 3, n\)",
        ),
        ("svhn", lambda r: scipy.io.savemat(r / "train_32x32.mat", {"Z": 1}), "has no X"),
        (
            "tfd",
            lambda r: scipy.io.savemat(r / "TFD_48x48.mat", {"images": noise(3, 48, 48, 1), "folds": np.ones((3, 5))}),
            r"images of uint8 \(3, 48, 48, 1\), expected uint8 \(n, 48, 48\)",
        ),
        ("cifar10", damage("cifar10", truncate("*/data_batch_3")), "data_batch_3 cannot be read"),
        ("cifar10", damage("cifar10", evil), "names builtins.print, expected arrays only"),
        (
            "cifar10",
            damage("cifar10", lambda r: shutil.rmtree(r / "cifar-10-batches-py")),
            "cifar10 is not in .*: expected",
        ),
        (
            "imagenet32",
            lambda r: np.savez(r / "train_data_batch_1.npz", data=rows(noise(2, 32, 32))),
            "imagenet32-val is not in",
        ),
        ("imagenet32", lambda r: (r / "train_32x32").mkdir(), "valid_32x32 is missing"),
        ("lsun_bedroom", lambda r: (r / "bedroom_train").mkdir(), "bedroom_val is missing"),
        ("celeba", lambda r: (r / "img_align_celeba").mkdir(), "lacks list_eval_partition.txt"),
    ],
)
def test_damaged_and_incomplete_sets(tmp_path, capsys, name, make, message):
    make(tmp_path)
    with pytest.raises(UserError, match=message) as caught:
        load_dataset(DataConfig(name, str(tmp_path)))
    assert "\n" not in str(caught.value) and "this ran" not in capsys.readouterr().out


def flip_bytes(data):
    """Damage in the middle of the compressed values."""
    middle = len(data) // 2
    return data[:middle] + bytes(255 - b for b in data[middle : middle + 50]) + data[middle + 50 :]


def test_imagenet_of_another_size_and_cut_short(tmp_path):
    for file in ("train_data_batch_1.npz", "val_data.npz"):
        np.savez(tmp_path / file, data=rows(noise(5, 32, 32)))
    with pytest.raises(UserError, match=r"imagenet64-train is not in .*, but rows of 3072: .* rows of 12288 values"):
        load_dataset(DataConfig("imagenet64", str(tmp_path)))
    truncate("val_data.npz")(tmp_path)
    with pytest.raises(UserError, match=r"val_data.npz cannot be read: File is not a zip file"):
        load_dataset(DataConfig("imagenet32", str(tmp_path)))
    np.savez_compressed(tmp_path / "val_data.npz", data=rows(noise(50, 32, 32)))
    (tmp_path / "val_data.npz").write_bytes(flip_bytes((tmp_path / "val_data.npz").read_bytes()))
    with pytest.raises(UserError, match=r"val_data.npz cannot be read: ") as caught:
        load_dataset(DataConfig("imagenet32", str(tmp_path)))
    assert "\n" not in str(caught.value)
