"""What data sets there are, without loading any: what each is, where it is looked for, and how to get it."""

import os
from dataclasses import dataclass
from pathlib import Path

from nvp_tf.errors import UserError


@dataclass(frozen=True)
class Layout:
    """One way in which a data set is published: names of files or folders, or patterns of such.

    train: of the training images; the first says that the set is there.
    held_out: of the test images, beside those; or of lists, any one of which says which images these are.
    """

    train: tuple[str, ...]
    held_out: tuple[str, ...] = ()


@dataclass(frozen=True)
class Entry:
    """A data set by name.

    what: in words.
    shape: of one example.
    layouts: its published ones, each of which is enough; the first that is found is read (`published`).
    places: folders that are looked at where no data_dir is given.
    builders: its names in tensorflow_datasets, the one that can still be downloaded last.
    get: how to come by the files.
    """

    what: str
    shape: str
    layouts: tuple[Layout, ...] = ()
    places: tuple[str, ...] = ()
    builders: tuple[str, ...] = ()
    get: str = ""

    @property
    def always(self) -> bool:
        """Whether no files of a published data set are needed: it is made here, or is a person's own."""
        return not (self.layouts or self.builders)

    @property
    def own(self) -> bool:
        """Whether it is a person's own data, wherever they lie."""
        return self.always and bool(self.get)

    def published(self, folder: str | Path | None) -> tuple[Layout, Path] | None:
        """The layout that is in or near `folder`, and where the first of its training names is; None without one."""
        for layout in self.layouts:
            if match := look(folder, layout.train[0]):
                return layout, match
        return None

    def found(self, data_dir: str | Path | None = None) -> str | None:
        """Where it is, as far as names tell; None where it is not."""
        if self.always:
            return self.get or "made here"
        for folder in [data_dir] if data_dir else self.places:
            if there := self.published(folder):
                return str(there[1])
        for builder in self.builders:
            prepared = Path(data_dir or _tensorflow_datasets(), builder)
            if match := next(prepared.glob("*/dataset_info.json"), None):
                return str(match.parent)
        return None


def look(folder: str | Path | None, name: str) -> Path | None:
    """The first file or folder of that name, or pattern, in `folder`, its subfolders or theirs; None without one."""
    return next(iter(look_for_all(folder, name)), None)


def look_for_all(folder: str | Path | None, name: str) -> list[Path]:
    """All of them, those nearest to `folder` first. No deeper: a data_dir may hold millions of files."""
    return (
        [match for above in ("", "*/", "*/*/") for match in sorted(Path(folder).glob(above + name))] if folder else []
    )


def beside(folder: Path, name: str) -> Path:
    """The folder of another split; raises UserError where it is not."""
    other = folder.with_name(name)
    if not other.is_dir():
        raise UserError(f"{other} is missing, expected it beside {folder}")
    return other


def _tensorflow_datasets() -> str | Path:
    """Where tensorflow_datasets keeps what it prepares, unless told otherwise."""
    return os.environ.get("TFDS_DATA_DIR") or Path.home() / "tensorflow_datasets"


_LSUN = "LSUN {0}: smallest side to 96, a fresh 64x64 crop each time"
_LSUN_GET = "folders {0}_train/ and {0}_val/ of its images, exported from LSUN's LMDB files"
_IMAGENET_GET = (
    "folders train_{0}x{0}/ and valid_{0}x{0}/ of images, which the thesis' numbers are of, "
    "or train_data_batch_*.npz and val_data.npz, downsampled otherwise, from image-net.org"
)


def _lsun(category: str) -> Entry:
    return Entry(
        _LSUN.format(category), "64x64x3", (Layout((f"{category}_train",), (f"{category}_val",)),),
        builders=(f"lsun/{category}",), get=_LSUN_GET.format(category),
    )  # fmt: skip


def _imagenet(side: int) -> Entry:
    return Entry(
        f"ImageNet, downsampled to {side}x{side}", f"{side}x{side}x3",
        (
            Layout((f"train_{side}x{side}",), (f"valid_{side}x{side}",)),
            Layout(("train_data_batch_*.npz",), ("val_data.npz",)),
        ),
        builders=(f"downsampled_imagenet/{side}x{side}", f"imagenet_resized/{side}x{side}"),
        get=_IMAGENET_GET.format(side),
    )  # fmt: skip


_IDX = tuple(Layout((f"train-{kind}",), (f"t10k-{kind}",)) for kind in ("images-idx3-ubyte", "images-idx3-ubyte.gz"))
_IDX_GET = f"{_IDX[-1].train[0]} and {_IDX[-1].held_out[0]}"
_CIFAR10 = tuple(
    Layout(tuple(f"data_batch_{i}{suffix}" for i in range(1, 6)), (f"test_batch{suffix}",)) for suffix in ("", ".bin")
)

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
        "Toronto faces, of which the unlabeled train", "48x48x1",
        (Layout(("TFD_48x48.mat",)), Layout(("TFD_ranzato_48x48.mat",))),
        get="TFD_48x48.mat, from its authors",
    ),
    "svhn": Entry(
        "house numbers", "32x32x3", (Layout(("train_32x32.mat",), ("test_32x32.mat",)),), builders=("svhn_cropped",),
        get="train_32x32.mat and test_32x32.mat, from ufldl.stanford.edu/housenumbers",
    ),
    "cifar10": Entry(
        "small photographs of ten kinds", "32x32x3", _CIFAR10, builders=("cifar10",),
        get="cifar-10-batches-py/ or cifar-10-batches-bin/, from cs.toronto.edu/~kriz/cifar.html",
    ),
    "imagenet32": _imagenet(32),
    "imagenet64": _imagenet(64),
    "lsun_bedroom": _lsun("bedroom"),
    "lsun_tower": _lsun("tower"),
    "lsun_church_outdoor": _lsun("church_outdoor"),
    "celeba": Entry(
        "faces, central 148x148 brought to 64x64", "64x64x3",
        # The list as published, and as Kaggle has it.
        (Layout(("img_align_celeba",), ("list_eval_partition.txt", "list_eval_partition.csv")),), builders=("celeb_a",),
        get="img_align_celeba/ and list_eval_partition.txt, from mmlab.ie.cuhk.edu.hk/projects/CelebA.html",
    ),
    "folder": Entry(
        "a person's own pictures, brought to size", "size x size", get="--data_dir=DIR, pictures of any size",
    ),
    "npz": Entry(
        "a person's own arrays, images or vectors", "as in the file",
        get="--data_dir=FILE.npz, with train and test or one array",
    ),
    "table": Entry(
        "a person's own table of numbers: CSV, Parquet", "columns",
        get="--data_dir=FILE.csv, or a folder with train.csv and test.csv",
    ),
    "breast_cancer": Entry("scikit-learn's measurements of cell nuclei", "30"),
    "wine": Entry("scikit-learn's measurements of wines", "13"),
    "diabetes": Entry("scikit-learn's measurements of patients", "10"),
}  # fmt: skip


def missing(name: str, data_dir: str | Path | None) -> UserError:
    """The error of a data set that is not where it was looked for: one line that says what to put where."""
    entry = CATALOGUE[name]
    where = data_dir or ", ".join([*entry.places, str(_tensorflow_datasets())] if entry.builders else entry.places)
    prepared = f", or the result of `{prepare_command(entry.builders[-1], data_dir)}`" if entry.builders else ""
    return UserError(f"{name} is not in {where or 'a data_dir'}: expected, in data_dir, {entry.get}{prepared}")


def prepare_command(builder: str, data_dir: str | Path | None) -> str:
    """A shell command that downloads and prepares a data set; tensorflow_datasets' own needs apache_beam."""
    where = "" if data_dir is None else f", data_dir='{data_dir}'"
    call = f"tfds.builder('{builder}'{where}).download_and_prepare()"
    return f'python -c "import tensorflow_datasets as tfds; {call}"'
