"""Rules that call an image foreign, against counting; the images they are tried on; the command on a real run."""

import csv
import io
import json
import math
import re

import numpy as np
import pytest
from commands import ROOT, digits_run, figures
from held_out import reference
from PIL import Image

from nvp_tf import markdown
from nvp_tf.config.presets.registry import PRESETS
from nvp_tf.errors import UserError
from nvp_tf.evaluation.foreign import Examples
from nvp_tf.evaluation.ranks import Ranks
from nvp_tf.evaluation.reference import Reference
from nvp_tf.event import Event
from nvp_tf.out_of_distribution import detectors, measure, report, sets
from nvp_tf.out_of_distribution.complexity import complexity_score, lengths, webp
from nvp_tf.runs.run_dir import RunDir
from nvp_tf.runs.source import Source

EVENT = Event((8, 8, 1), 17)
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


def scored(rng, log_prob, foreign):
    """Images of two values with scores; foreign ones are constant."""
    images = rng.integers(0, 2, (len(log_prob), 8, 8, 1)).astype(np.uint8)
    images = np.broadcast_to(4 * images[:, :1, :1], images.shape) if foreign else images
    return detectors.Scored(images, log_prob, np.full(len(log_prob), 900.0))


def test_an_image_without_a_score_is_most_suspicious():
    assert detectors.auroc([0.0, 5.0], [math.nan]) == 1
    rng = np.random.default_rng(0)
    known, nan = (scored(rng, values, False) for values in (np.arange(-100.0, 0), np.array([math.nan])))
    rules = detectors.Detectors(known, reference(EVENT, known.images, known.log_prob))
    p = rules.p_values(nan)
    assert set(p) == set(detectors.RULES[:-1]) and all(p[rule] < 0.05 for rule in p), p


def test_p_values_are_conformal():
    """Each of m + 1 images held against the m others: exchangeable, and at most a share a has p <= a, ties or not."""
    known = reference(EVENT, np.zeros((2, 8, 8, 1), np.uint8))

    def typicality(rest, score):
        known.scores = Ranks(rest)
        return float(known.typicality(np.float32(score)))

    for scores in (np.random.default_rng(0).normal(size=40), np.repeat(np.arange(8.0), 5)):
        others = [np.delete(scores, i) for i in range(40)]
        one_ended = [detectors.upper_tail(rest, scores[i : i + 1])[0] for i, rest in enumerate(others)]
        both_ends = [typicality(rest, scores[i]) for i, rest in enumerate(others)]
        for level in np.arange(1, 41) / 40:
            assert np.mean(np.array(one_ended) <= level + 1e-9) <= level + 1e-9
        for level in np.arange(2, 41, 2) / 40:
            tied = len(np.unique(scores)) < 40
            assert tied or np.mean(np.array(both_ends) <= level + 1e-6) <= level + 1e-6


def test_percentile_orders_as_typicality_does():
    known = reference(EVENT, np.zeros((100, 8, 8, 1), np.uint8), np.arange(100.0))
    scores = np.random.default_rng(0).uniform(-5, 105, 300).astype(np.float32)
    distance = np.abs(known.percentile(scores).numpy() - 50)
    by_distance = np.unique(-distance.round(3), return_inverse=True)[1]
    assert np.array_equal(by_distance, np.unique(known.typicality(scores), return_inverse=True)[1])


@pytest.mark.parametrize("channels", [1, 3])
def test_the_compressor_keeps_every_bit(channels):
    image = np.random.default_rng(0).integers(0, 17, (8, 8, channels), dtype=np.uint8)
    back = np.asarray(Image.open(io.BytesIO(webp(image))).convert("RGB"))
    assert np.array_equal(back, np.broadcast_to(image, back.shape))
    assert lengths(image[None]) == [8 * len(webp(image))]
    assert complexity_score(np.array([-64 * math.log(2)]), lengths(image[None])) == 64 - lengths(image[None])


def test_rules_on_scores_that_are_known():
    """Held out: log_prob normal about -100 nats. A simple foreign set is 1 deviation higher, an odd one 4 lower."""
    rng = np.random.default_rng(0)

    def of(shift, foreign=False):
        return scored(rng, (rng.normal(-100 + shift, 10, 1000)).astype(np.float32).astype(np.float64), foreign)

    train, held_out, own = of(0), of(0), of(0)
    known = (Examples(each.images, each.log_prob) for each in (held_out, train))
    rules = detectors.Detectors(held_out, Reference(EVENT, *known))
    false_alarms = detectors.compare(rules, own, own)["caught"]
    assert false_alarms.pop(detectors.GROUPS) < 0.08  # on the safe side
    assert all(0.02 < share < 0.08 for share in false_alarms.values()), false_alarms
    simple, odd = (detectors.compare(rules, own, other) for other in (of(10, True), of(-40)))
    assert simple["auroc"]["log_prob"] == pytest.approx(1 - 0.76, abs=0.03)  # Phi(1 / sqrt 2)
    assert simple["caught"]["log_prob"] < 0.02 and simple["caught"]["typicality"] < 0.25
    assert simple["caught"]["foreign"] == simple["caught"][detectors.GROUPS] == 1
    assert odd["caught"]["typicality"] > 0.95 and odd["auroc"]["log_prob"] > 0.99
    assert odd["auroc"]["foreign"] > 0.85 and odd["caught"][detectors.GROUPS] > 0.95  # one of three statistics


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
    assert printed["false_alarms"]["typicality"] == pytest.approx(np.mean(np.array(typicality) < 0.05))
    for name in ("photos", "uniform noise", "constant", "checkerboard", "lower half black"):
        assert found[name]["auroc"]["foreign"] > 0.95, name
    assert printed["held_out"] == sum(row["set"] == "its validation images" for row in rows) == 100
    assert "mnist" in printed["skipped"] or "mnist" in found
    assert printed["passed_over_files"] == {str(pictures / "b.png"): "cannot be read: image file is truncated"}
    for name in ("histograms", "statistics", "examples"):
        assert min(Image.open(out / f"{name}.png").size) > 500

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
