"""Rules that call an image foreign, against counting; the images they are tried on; the command on a real run."""

import csv
import io
import json
import lzma
import math
import re
import zlib

import numpy as np
import pytest
from commands import ROOT, digits_run, figures
from PIL import Image

from nvp_tf import markdown
from nvp_tf.config.presets.registry import PRESETS
from nvp_tf.errors import UserError
from nvp_tf.evaluation.reference import Reference
from nvp_tf.out_of_distribution import detectors, measure, report, sets
from nvp_tf.out_of_distribution.complexity import COMPRESSORS, complexity_score, lengths
from nvp_tf.runs.run_dir import RunDir
from nvp_tf.runs.source import Source

PAGE = ROOT / "docs" / "out_of_distribution.md"


def by_pairs(own, foreign):
    """AUROC by its definition."""
    pairs = [(f > o) + (f == o) / 2 for o in own for f in foreign]
    return sum(pairs) / len(pairs)


@pytest.mark.parametrize(
    "own, foreign",
    [
        ([1.0, 2.0, 3.0], [2.0, 2.5, 9.0, 0.0]),
        ([1.0, 1.0, 2.0], [1.0, 2.0, 2.0]),
        ([0.0, -math.inf], [math.inf, 0.0, math.inf]),
    ],
)
def test_auroc_counts_pairs(own, foreign):
    assert detectors.auroc(own, foreign) == pytest.approx(by_pairs(own, foreign))


def test_an_image_without_a_score_is_most_suspicious():
    assert detectors.auroc([0.0, 5.0], [math.nan]) == 1
    known, nan = (
        detectors.Scored(None, scores, dict.fromkeys(detectors.LENGTHS, np.ones(len(scores))))
        for scores in (np.arange(100.0), np.array([math.nan]))
    )
    p = detectors.Detectors(known).p_values(nan)
    assert all(p[rule] < 0.05 for rule in p), p


def test_p_values_are_conformal():
    """Each of m + 1 images held against the m others: exchangeable, and at most a share a has p <= a, ties or not."""
    for scores in (np.random.default_rng(0).normal(size=40), np.repeat(np.arange(8.0), 5)):
        others = [np.delete(scores, i) for i in range(40)]
        one_ended = [detectors.upper_tail(rest, scores[i : i + 1])[0] for i, rest in enumerate(others)]
        both_ends = [float(Reference(rest).typicality(np.float32(scores[i]))) for i, rest in enumerate(others)]
        for level in np.arange(1, 41) / 40:
            assert np.mean(np.array(one_ended) <= level + 1e-9) <= level + 1e-9
        for level in np.arange(2, 41, 2) / 40:
            tied = len(np.unique(scores)) < 40
            assert tied or np.mean(np.array(both_ends) <= level + 1e-6) <= level + 1e-6


def test_percentile_orders_as_typicality_does():
    reference, scores = Reference(np.arange(100.0)), np.random.default_rng(0).uniform(-5, 105, 300).astype(np.float32)
    distance = np.abs(reference.percentile(scores).numpy() - 50)
    by_distance = np.unique(-distance.round(3), return_inverse=True)[1]
    assert np.array_equal(by_distance, np.unique(reference.typicality(scores), return_inverse=True)[1])


def test_complexity_of_what_no_compressor_makes_smaller():
    """zlib stores uniform noise: n bytes, and 11 of header and checksum. By a uniform guess, S is minus those."""
    noise = np.random.default_rng(0).integers(0, 256, (1, 28, 28, 1), dtype=np.uint8)
    found = lengths(noise)
    assert found["zlib"] == [8 * (784 + 11)]
    assert complexity_score(np.array([-784 * math.log(256)]), found["zlib"]) == pytest.approx([-88])
    assert found["smallest"] == min(found[name] for name in COMPRESSORS)


@pytest.mark.parametrize("channels", [1, 3])
def test_compressors_keep_every_bit(channels):
    image = np.random.default_rng(0).integers(0, 17, (8, 8, channels), dtype=np.uint8)
    for name in ("png", "webp"):
        back = np.asarray(Image.open(io.BytesIO(COMPRESSORS[name](image))).convert("RGB"))
        assert np.array_equal(back, np.broadcast_to(image, back.shape)), name
    assert zlib.decompress(COMPRESSORS["zlib"](image)) == image.tobytes()
    coder = [{"id": lzma.FILTER_LZMA1, "dict_size": 4096}]
    unpack = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=coder)
    assert unpack.decompress(COMPRESSORS["lzma"](image), image.size) == image.tobytes()


def test_rules_on_scores_that_are_known():
    """Held out: log_prob normal about -1000 nats. A simple foreign set is 1 deviation higher, an odd one 4 lower."""
    rng = np.random.default_rng(0)

    def scored(shift, length):
        log_prob = rng.normal(-1000 + shift, 10, 1000).astype(np.float32).astype(np.float64)
        return detectors.Scored(None, log_prob, dict.fromkeys(detectors.LENGTHS, np.full(1000, length)))

    rules, own = detectors.Detectors(scored(0, 2000.0)), scored(0, 2000.0)
    false_alarms = detectors.compare(rules, own, own)["caught"]
    assert all(0.02 < share < 0.08 for rule, share in false_alarms.items() if rule != "either"), false_alarms
    assert false_alarms["either"] < 0.06
    simple, odd = (detectors.compare(rules, own, other) for other in (scored(10, 1000.0), scored(-40, 2000.0)))
    assert simple["auroc"]["log_prob"] == pytest.approx(1 - 0.76, abs=0.03)  # Phi(1 / sqrt 2)
    assert simple["caught"]["log_prob"] < 0.02 and simple["caught"]["typicality"] < 0.25
    assert simple["caught"]["S webp"] == simple["caught"]["either"] == 1
    assert simple["caught"][detectors.GROUPS] > 0.75  # a shift of 3.2 deviations of a mean
    assert odd["caught"]["typicality"] > 0.95 and odd["auroc"]["log_prob"] > 0.99


def test_images_brought_to_a_shape():
    rng = np.random.default_rng(0)
    digits = rng.integers(0, 17, (3, 8, 8, 1), dtype=np.uint8)
    assert np.array_equal(sets.bring(digits, 17, (8, 8, 1), 17), digits)
    assert np.array_equal(sets.bring(digits, 17, (8, 8, 1), 256), np.rint(digits * (255 / 16)))
    inside = sets.bring(np.full((2, 40, 60, 3), 255, np.uint8), 256, (28, 28, 1), 17, 5 / 7)
    assert inside[:, 4:24, 4:24].min() == 16 and inside.sum() == 2 * 400 * 16
    assert sets.bring(digits, 17, (6, 4, 3), 256).shape == (3, 6, 4, 3)


@pytest.mark.parametrize("damaged", [[], [0], [1, 4], [2, 3, 4], [0, 1, 2, 3]])
@pytest.mark.parametrize("num", [2, 5, 17])
def test_cuts_of_the_pictures_that_can_be_read(tmp_path, damaged, num):
    for i in range(5):
        Image.new("L", (9, 9), 50 * i + 5).save(tmp_path / f"{i}.png")
        if i in damaged:
            (tmp_path / f"{i}.png").write_bytes(b"")
    images, passed = sets.cuts(tmp_path, num, (8, 8, 1), 0)
    counts = np.bincount(images[:, 0, 0, 0] // 50, minlength=5)
    assert (images == images[:, :1, :1]).all() and counts.sum() == num and not counts[damaged].any()
    assert counts.max() - counts[[i for i in range(5) if i not in damaged]].min() <= 1 + bool(damaged)
    assert set(passed.names) <= {str(tmp_path / f"{i}.png") for i in damaged}
    assert num < 5 or len(passed) == len(damaged)


def test_images_that_are_made_and_altered():
    test = np.random.default_rng(0).integers(0, 17, (20, 8, 8, 1), dtype=np.uint8)
    made, altered = sets.made(test, 17, 0), sets.altered(test, 17, 0)
    for name, images in (made | altered).items():
        assert images.dtype == np.uint8 and images.max() <= 16, name
    assert [np.unique(image).tolist() for image in made["constant"]] == [[level] for level in range(17)]
    for image in made["checkerboard"]:
        assert len(np.unique(image)) == 2 and np.mean(image == image[0, 0]) == 0.5
    assert np.array_equal(np.sort(altered["pixels shuffled"].reshape(20, -1)), np.sort(test.reshape(20, -1)))
    assert np.array_equal(altered["rotated by 180°"], np.rot90(altered["rotated by 90°"], axes=(1, 2)))
    assert np.array_equal(altered["negatives"] + test, np.full_like(test, 16))
    assert not altered["lower half black"][:, 4:].any()
    assert "rotated by 90°" not in sets.altered(test[:, :6], 17, 0)


def test_runs_that_have_no_images(tmp_path):
    RunDir.create(tmp_path / "moons", PRESETS["realnvp_two_moons"].config)
    with pytest.raises(UserError, match="needs a run on images"):
        measure.measure(Source(tmp_path / "moons"))


def test_command(tmp_path):
    """On a real run: its files agree with each other, and with the page of the documents."""
    path, _ = digits_run()
    pictures, out, page = tmp_path / "pictures", tmp_path / "out", tmp_path / "page.md"
    pictures.mkdir()
    Image.fromarray(np.arange(1200, dtype=np.uint8).reshape(20, 60)).save(pictures / "a.png")
    (pictures / "b.png").write_bytes((pictures / "a.png").read_bytes()[:60])
    page.write_text("before\n<!-- table: run -->\n<!-- end of table: run -->\nafter\n")
    flags = [f"--run_dir={path}", f"--out={out}", "--num=30", f"--folder={pictures}", "--noprogress"]
    printed = figures("out_of_distribution", *flags, f"--page={page}")
    table = (out / "table.md").read_text()
    assert page.read_text() == f"before\n<!-- table: run -->\n\n{table.strip()}\n\n<!-- end of table: run -->\nafter\n"

    found = json.loads((out / "figures.json").read_text())
    rows = list(csv.DictReader((out / "scores.csv").open()))
    scores = {name: [-float(row["log_prob"]) for row in rows if row["set"] == name] for name in found}
    for name, each in found.items():
        assert len(scores[name]) == each["images"]
        expected = by_pairs(scores["its test images"], scores[name])
        assert each["auroc"]["log_prob"] == pytest.approx(expected)
        assert printed["auroc"][name]["log_prob"] == pytest.approx(expected, abs=6e-4)
    typicality = [float(row["typicality"]) for row in rows if row["set"] == "its test images"]
    assert printed["false_alarms"] == pytest.approx(np.mean(np.array(typicality) < 0.05))
    assert printed["held_out"] == sum(row["set"] == "its validation images" for row in rows) == 100
    assert "mnist" in printed["skipped"] or "mnist" in found
    assert printed["passed_over_files"] == {str(pictures / "b.png"): "cannot be read: image file is truncated"}
    for name in ("histograms", "complexity", "examples"):
        assert min(Image.open(out / f"{name}.png").size) > 500

    # The page's own lines call as many foreign as the command does; a quantile and a rank differ by one of 100.
    [lines] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names = {"images": Source(path).examples(30)}
    exec(lines.replace("foreign/fashion", str(out)).replace("runs/fashion", str(path)), names)
    assert np.mean(names["foreign"]) == pytest.approx(found["its test images"]["caught"]["S webp"], abs=0.1)

    documented = re.findall(r"^\| ([^|]+) \|", PAGE.read_text().partition("<!-- table: digits -->")[2], re.MULTILINE)
    made_here = {name for name in found if "pictures in" not in name}
    assert made_here <= set(documented), f"{PAGE} is older than the command: run it again"


def test_mistakes(tmp_path):
    (tmp_path / "page.md").write_text("<!-- table: fashion -->")
    with pytest.raises(UserError, match="lacks the lines <!-- table: digits --> and"):
        markdown.around(tmp_path / "page.md", *report.marks("digits"))
    source = Source(digits_run()[0])
    with pytest.raises(UserError, match="also is 'mnist', expected NAME:DIR"):
        sets.other_data_sets(source, 1, also=["mnist"])
    (tmp_path / "a.png").touch()
    with pytest.raises(UserError, match=r"expected one with pictures in it \(2 passed over: "):
        sets.cuts(tmp_path, 1, (8, 8, 1), 0)
