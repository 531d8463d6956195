"""What data sets there are, without loading any: what each is, where it is looked for, and how to get it."""

import os
from dataclasses import dataclass
from pathlib import Path

from nvp_tf.errors import UserError


@dataclass(frozen=True)
class Entry:
    """A data set by name.

    what: in words.
    shape: of one example.
    files: names, any one of which says that the set is there in its published layout (`look`).
    places: folders that are looked at where no data_dir is given.
    builders: its names in tensorflow_datasets, the one that can still be downloaded last.
    get: how to come by the files.
    """

    what: str
    shape: str
    files: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    builders: tuple[str, ...] = ()
    get: str = ""

    @property
    def always(self) -> bool:
        """Whether it needs no files."""
        return not (self.files or self.builders)

    def found(self, data_dir=None) -> str | None:
        """Where it is, as far as names tell; None where it is not."""
        if self.always:
            return self.get or "made here"
        for folder in [data_dir] if data_dir else self.places:
            for name in self.files:
                if match := look(folder, name):
                    return str(match)
        for builder in self.builders:
            prepared = Path(data_dir or _tensorflow_datasets(), builder)
            if match := next(prepared.glob("*/dataset_info.json"), None):
                return str(match.parent)
        return None


def look(folder, name) -> Path | None:
    """The first file or folder of that name, or pattern, in `folder`, its subfolders or theirs; None without one."""
    return next(iter(look_for_all(folder, name)), None)


def look_for_all(folder, name) -> list[Path]:
    """All of them, those nearest to `folder` first. No deeper: a data_dir may hold millions of files."""
    return (
        [match for above in ("", "*/", "*/*/") for match in sorted(Path(folder).glob(above + name))] if folder else []
    )


def beside(folder: Path, name) -> Path:
    """The folder of another split; raises UserError where it is not."""
    other = folder.with_name(name)
    if not other.is_dir():
        raise UserError(f"{other} is missing, expected it beside {folder}")
    return other


def _tensorflow_datasets():
    """Where tensorflow_datasets keeps what it prepares, unless told otherwise."""
    return os.environ.get("TFDS_DATA_DIR") or Path.home() / "tensorflow_datasets"


_LSUN = "LSUN {0}: smallest side to 96, a fresh 64x64 crop each time"
_LSUN_GET = "folders {0}_train/ and {0}_val/ of its images, exported from LSUN's LMDB files"
_IMAGENET_GET = (
    "folders train_{0}x{0}/ and valid_{0}x{0}/ of images, which the thesis' numbers are of, "
    "or train_data_batch_*.npz and val_data.npz, downsampled otherwise, from image-net.org"
)


def _lsun(category):
    return Entry(
        _LSUN.format(category), "64x64x3", (f"{category}_train",),
        builders=(f"lsun/{category}",), get=_LSUN_GET.format(category),
    )  # fmt: skip


def _imagenet(side):
    return Entry(
        f"ImageNet, downsampled to {side}x{side}", f"{side}x{side}x3",
        (f"train_{side}x{side}", "train_data_batch_*.npz"),
        builders=(f"downsampled_imagenet/{side}x{side}", f"imagenet_resized/{side}x{side}"),
        get=_IMAGENET_GET.format(side),
    )  # fmt: skip


_IDX_GET = "train-images-idx3-ubyte.gz and t10k-images-idx3-ubyte.gz"
_IDX = ("train-images-idx3-ubyte*",)

CATALOGUE = {
    "two_moons": Entry("points on two half circles", "2"),
    "digits": Entry("scikit-learn's handwritten digits, 17 levels", "8x8x1"),
    "photos": Entry("random crops of scikit-learn's two photographs", "32x32x3"),
    "fashion_mnist": Entry(
        "clothes", "28x28x1", _IDX, ("/usr/share/datasets/fashion-mnist",), ("fashion_mnist",),
        f"{_IDX_GET}, without a data_dir `apt install dataset-fashion-mnist`",
    ),
    "mnist": Entry("handwritten digits", "28x28x1", _IDX, builders=("mnist",), get=_IDX_GET),
    "tfd": Entry(
        "Toronto faces, of which the unlabeled train", "48x48x1", ("TFD_48x48.mat", "TFD_ranzato_48x48.mat"),
        get="TFD_48x48.mat, from its authors",
    ),
    "svhn": Entry(
        "house numbers", "32x32x3", ("train_32x32.mat",), builders=("svhn_cropped",),
        get="train_32x32.mat and test_32x32.mat, from ufldl.stanford.edu/housenumbers",
    ),
    "cifar10": Entry(
        "small photographs of ten kinds", "32x32x3", ("data_batch_1", "data_batch_1.bin"), builders=("cifar10",),
        get="cifar-10-batches-py/ or cifar-10-batches-bin/, from cs.toronto.edu/~kriz/cifar.html",
    ),
    "imagenet32": _imagenet(32),
    "imagenet64": _imagenet(64),
    "lsun_bedroom": _lsun("bedroom"),
    "lsun_tower": _lsun("tower"),
    "lsun_church_outdoor": _lsun("church_outdoor"),
    "celeba": Entry(
        "faces, central 148x148 brought to 64x64", "64x64x3", ("img_align_celeba",), builders=("celeb_a",),
        get="img_align_celeba/ and list_eval_partition.txt, from mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
    ),
    "folder": Entry(
        "a person's own pictures, brought to size", "size x size", get="--data_dir=DIR, pictures of any size",
    ),
    "npz": Entry(
        "a person's own arrays, images or vectors", "as in the file",
        get="--data_dir=FILE.npz, with train and test or one array",
    ),
}  # fmt: skip


def missing(name: str, data_dir) -> UserError:
    """The error of a data set that is not where it was looked for: one line that says what to put where."""
    entry = CATALOGUE[name]
    where = data_dir or ", ".join([*entry.places, str(_tensorflow_datasets())] if entry.builders else entry.places)
    prepared = f", or the result of `{prepare_command(entry.builders[-1], data_dir)}`" if entry.builders else ""
    return UserError(f"{name} is not in {where or 'a data_dir'}: expected, in data_dir, {entry.get}{prepared}")


def prepare_command(builder, data_dir) -> str:
    """A shell command that downloads and prepares a data set; tensorflow_datasets' own needs apache_beam."""
    where = "" if data_dir is None else f", data_dir='{data_dir}'"
    call = f"tfds.builder('{builder}'{where}).download_and_prepare()"
    return f'python -c "import tensorflow_datasets as tfds; {call}"'
