"""Tables of numbers as people hold them give the same rows to training and to `score`; what is wrong is named."""

import gzip

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from nvp_tf.config.schema import DataConfig
from nvp_tf.data import parquet_table, text_table
from nvp_tf.data.columns import few_valued
from nvp_tf.data.pipeline import evaluation_batches
from nvp_tf.data.registry import load_dataset
from nvp_tf.errors import UserError
from nvp_tf.event import Event
from nvp_tf.scoring import inputs

X = np.random.default_rng(0).standard_normal((50, 3)).round(4)
ABC = ("a", "b", "c")
EVENT = Event((3,), reals="float64")
PLAIN = "".join(",".join(map(str, row)) + "\n" for row in X.tolist())
INDEXED = "".join(f"{i},{line}\n" for i, line in enumerate(PLAIN.splitlines()))


def quoted(line):
    return ",".join(f'"{word}"' for word in line.split(",")) + "\n"


def parquet(columns, file):
    pq.write_table(pa.table(columns), file, row_group_size=20)
    return file.read_bytes()


LISTS = pa.FixedSizeListArray.from_arrays(pa.array(X.ravel()), 3)
# name of the file: (its content, the columns' names)
GOOD = {
    "plain.csv": (PLAIN.encode(), ()),
    "header.csv": (("a,b,c\n" + PLAIN).encode(), ABC),
    "bom.csv": (b"\xef\xbb\xbf" + PLAIN.encode(), ()),
    "bom_header.csv": (b"\xef\xbb\xbf" + f"a,b,c\r\n{PLAIN}".encode(), ABC),
    "utf16.csv": (f"a\tb\tc\n{PLAIN}".replace(",", "\t").encode("utf-16"), ABC),
    "index.csv": ((",a,b,c\n" + INDEXED).encode(), ABC),
    "no_names.csv": ((",0,1,2\n" + INDEXED).encode(), ("0", "1", "2")),
    "gzipped.csv.gz": (gzip.compress(PLAIN.encode()), ()),
    "gzipped.csv": (gzip.compress(f"a,b,c\n{PLAIN}".encode()), ABC),
    "tabs.tsv": (("a\tb\tc\n" + PLAIN.replace(",", "\t")).encode(), ABC),
    "european.csv": (("a;b;c\n" + PLAIN.replace(",", ";").replace(".", ",")).encode(), ABC),
    "quoted.csv": ("".join(map(quoted, ["a,b,c", *PLAIN.split()])).encode(), ABC),
    "savetxt.csv": (("# a b c\n" + PLAIN.replace(",", " ")).encode(), ABC),
    "blank_lines.csv": (("a,b,c\n\n" + PLAIN.replace("\n", "\n\n")).encode(), ABC),
    "years.csv": (("a,1990,c\n" + PLAIN).encode(), ("a", "1990", "c")),
    "columns.parquet": (dict(zip(ABC, X.T, strict=True)), ABC),
    "nested.parquet": ({"x": X.tolist(), "label": [0] * 50}, ()),
    "fixed.parquet": ({"features": LISTS}, ()),
    "pandas.parquet": (dict(zip(ABC, X.T, strict=True)) | {"__index_level_0__": range(50)}, ABC),
}  # fmt: skip


def written(tmp_path, name, content):
    file = tmp_path / name
    file.write_bytes(content if isinstance(content, bytes) else parquet(content, file))
    return file


def everything(data):
    return np.concatenate([x for part in (data.train, data.valid, data.test) for x in evaluation_batches(part, 99)])


@pytest.mark.parametrize("name", GOOD)
def test_the_same_rows_to_train_on_and_to_score(tmp_path, name, monkeypatch):
    for module in (text_table, parquet_table):
        monkeypatch.setattr(module, "BLOCK", 7)
    content, names = GOOD[name]
    file = written(tmp_path, name, content)
    data = load_dataset(DataConfig("table", str(file)))
    assert (data.event, data.event.columns, data.about) == (EVENT, names, {"rows_dropped": 0})
    found = everything(data)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found[np.lexsort(found.T)], X[np.lexsort(X.T)])
    items = list(inputs.read(str(file), EVENT))
    assert [item.name for item in items] == [f"{file}:{i}" for i in range(50)]
    np.testing.assert_array_equal([item.value for item in items], X)


@pytest.mark.parametrize("name", [name for name, (_, names) in GOOD.items() if names == ABC])
def test_columns_by_name_in_whatever_order(tmp_path, name):
    file = written(tmp_path, name, GOOD[name][0])
    data = load_dataset(DataConfig("table", str(file), columns=("c", "a")))
    assert data.event.columns == ("c", "a") and data.event.shape == (2,)
    for columns, expected in (("c", "a"), X[:, [2, 0]]), (("b", "a", "c"), X[:, [1, 0, 2]]):
        items = inputs.read(str(file), Event((len(columns),), reals="float64", columns=columns))
        np.testing.assert_array_equal([item.value for item in items], expected)
    [item] = inputs.read(str(file), Event((2,), columns=("a", "d")))
    assert "expected 'd' among them" in item.error


def test_columns_beside_lists(tmp_path):
    file = written(tmp_path, "x.parquet", {"x": X.tolist(), "a": X[:, 0], "b": X[:, 1]})
    assert load_dataset(DataConfig("table", str(file))).event.shape == (3,)
    assert load_dataset(DataConfig("table", str(file), columns=("b", "a"))).event.columns == ("b", "a")


def test_columns_without_a_header(tmp_path):
    file = str(written(tmp_path, "x.csv", PLAIN.encode()))
    data = load_dataset(DataConfig("table", file, columns=("2", "0")))
    assert data.event.columns == ("2", "0")
    np.testing.assert_array_equal([i.value for i in inputs.read(file, data.event)], X[:, [2, 0]].astype(np.float64))
    named = Event((3,), reals="float64", columns=ABC)  # of a run with names: there are as many
    np.testing.assert_array_equal([i.value for i in inputs.read(file, named)], X)
    [item] = inputs.read(file, Event((2,), columns=("a", "b")))
    assert item.error == "has 3 columns and no names, expected a, b"


MISSING = "a,b,c\n1,2,3\n1,,3\nNA,1,2\n4,5,6\n7,?,9\n" + PLAIN


def test_rows_with_missing_values(tmp_path):
    nothing = np.where(np.eye(50, 3), np.nan, X)
    for name, content, dropped, kept in (
        ("x.csv", MISSING.encode(), 3, 52),
        ("x.parquet", dict(zip(ABC, (pa.array(c, from_pandas=True) for c in nothing.T), strict=True)), 3, 47),
    ):
        file = written(tmp_path, name, content)
        data = load_dataset(DataConfig("table", str(file)))
        assert data.about == {"rows_dropped": dropped} and len(everything(data)) == kept
        items = list(inputs.read(str(file), EVENT))
        assert [bool(item.error) for item in items].count(True) == dropped and len(items) == kept + dropped
        assert "has no value in column" in next(item.error for item in items if item.error)
    some = load_dataset(DataConfig("table", str(tmp_path / "x.csv"), columns=("a", "c")))
    assert some.about == {"rows_dropped": 1}  # of the columns that are asked for


@pytest.mark.parametrize(
    ("name", "content", "columns", "message"),
    [
        ("x.csv", "a,b\n1,2\n3,four\n", None, r"x.csv has 'four', expected a number \(line 3\)"),
        ("x.csv", "kind,b,c\nsetosa,1,2\n", None, r"has 'setosa', expected a number \(line 2\); --columns"),
        ("x.csv", "a,b\n1,2\n3\n", None, r"has 1 values, expected 2 \(line 3\)"),
        ("x.csv", "a,b\n1,inf\n", None, r"has 'inf', expected a finite number \(line 2\)"),
        ("x.csv", "a,b\n1,2\n", ("a", "z"), "has the columns a, b, expected 'z' among them"),
        ("x.csv", "a,a\n1,2\n", ("a",), "expected 'a' once"),
        ("x.csv", "a,b\n1,\n", None, "has 1 rows, each with a missing value"),
        ("x.csv", "a,b\n", None, "has 0 rows"),
        ("x.csv", "", None, "has no rows"),
        ("x.csv", gzip.compress(PLAIN.encode(), mtime=0)[:60], None, "cannot be read: Compressed file ended"),
        ("x.parquet", b"PAR1 nothing", None, "cannot be read"),
        ("x.parquet", {"a": [1.0], "b": ["x"]}, None, "column b is of string, expected numbers"),
    ],
)
def test_what_is_wrong_is_named(tmp_path, name, content, columns, message):
    file = written(tmp_path, name, content.encode() if isinstance(content, str) else content)
    with pytest.raises(UserError, match=message) as caught:
        load_dataset(DataConfig("table", str(file), columns=columns))
    assert "\n" not in str(caught.value)


def test_a_folder_with_its_own_splits(tmp_path):
    (tmp_path / "train.csv").write_text("a,b,c\n" + PLAIN)
    (tmp_path / "test.csv").write_text("c,a,b\n" + "3,1,2\n" * 4)
    data = load_dataset(DataConfig("table", str(tmp_path)))
    assert (data.train.size, data.valid.size, data.test.size) == (45, 5, 4)
    np.testing.assert_array_equal(next(iter(evaluation_batches(data.test, 9))), [[1, 2, 3]] * 4)
    (tmp_path / "train.parquet").touch()
    with pytest.raises(UserError, match=r"has train.csv, train.parquet, expected one file for train"):
        load_dataset(DataConfig("table", str(tmp_path)))


def test_few_values_are_known_and_get_noise_of_their_step(tmp_path):
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.standard_normal(400), rng.integers(0, 10, 400), 0.1 * rng.integers(-3, 3, 400),
                         np.where(rng.random(400) < 0.1, 0, rng.random(400))])  # fmt: skip
    np.savetxt(tmp_path / "x.csv", x, delimiter=",")
    plain = load_dataset(DataConfig("table", str(tmp_path / "x.csv")))
    found = few_valued(plain.train)
    assert sorted(found) == [1, 2, 3] and (found[1].count, found[1].step) == (10, 1)
    assert found[2].step == pytest.approx(0.1)
    noisy, again = (load_dataset(DataConfig("table", str(tmp_path / "x.csv"), dequantize=True)) for _ in range(2))
    added = everything(noisy) - everything(plain)
    np.testing.assert_array_equal(everything(noisy), everything(again))
    assert (added[:, 0] == 0).all()
    for column, step in ((1, 1.0), (2, 0.1)):
        noise = added[:, column] / step
        assert np.abs(noise).max() <= 0.5 and np.std(noise) == pytest.approx(12**-0.5, rel=0.1)
    assert abs(np.corrcoef(added[:, 1], added[:, 2])[0, 1]) < 0.15
    assert not few_valued(noisy.train)
