"""What a preset is."""

from dataclasses import dataclass

from nvp_tf.config.schema import Config


@dataclass(frozen=True)
class Published:
    """Scores of the thesis, in bits/dim.

    test: of the test split; of the validation split where table 5.2 reports that.
    train: of the training split, where it is given.
    log_prob: mean nats an example on the range of the preset's pixels, where it is given.
    """

    test: float
    train: float | None = None
    log_prob: float | None = None


@dataclass(frozen=True)
class Preset:
    """A config with a name.

    source: the table, section or measurement that it follows, and where it departs.
    measured: what it scored here on the test split after its steps, as in RESULTS.md; None if it was never run.
    published: the scores of the thesis that it is for; None for data that the thesis does not have.
    """

    config: Config
    source: str
    measured: str | None = None
    published: Published | None = None

    @property
    def expected(self) -> str:
        """The score to expect, in words."""
        if self.measured:
            return self.measured
        if self.published is None:
            return "not run here, and not in the thesis"
        return f"{self.published.test:.2f} bits/dim in the thesis, not run here"
