"""AVEC's post-processing: what teams of the challenges do to predictions before they are scored.

A median filter, each recording's level and spread set to those of the labels, and a shift in time,
each kept only where the CCC on validation rises. Everything is found on validation; a `Chain` is
then applied to other predictions and sees no label of theirs. Scores on validation are optimistic
for that reason: report them apart from the raw ones.

Source: the baselines of AVEC 2015 to 2018 (Ringeval et al.), and the public programs that follow
them, whose order, ranges and rules stand here; what is ours is named where it stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

import numpy as np

from baselines.prediction_steps import (
    Centre,
    Gain,
    Median,
    Offset,
    Scale,
    Shift,
    deviation_known,
    mean_known,
)
from mavfer.errors import CommandError, InvalidArray
from mavfer.metrics import ccc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from numpy.typing import ArrayLike, NDArray

    from baselines.prediction_steps import Step

    Floats = NDArray[np.float64]

__all__ = ["MEDIAN_SECONDS", "SHIFT_SECONDS", "Aggregate", "Chain", "fit_avec2018", "fit_chain"]

MEDIAN_SECONDS: Final = tuple(samples / 25 for samples in range(10, 501, 10))
"""Windows that are tried: 10, 20, … 500 samples at 25 a second."""

SHIFT_SECONDS: Final = tuple(
    sign * samples / 25 for sign in (1, -1) for samples in range(1, 252, 5)
)
"""Shifts that are tried: 1, 6, … 251 samples at 25 a second, later and then earlier."""

Aggregate = Literal["pooled", "mean_of_sessions"]


@dataclass(frozen=True)
class Chain:
    """What is done to predictions, in this order."""

    steps: tuple[Step, ...]
    """Those that raised the CCC on validation."""
    validation_ccc: tuple[float, ...]
    """On validation: raw, then after each of `steps`."""

    def apply(self, predictions: Iterable[ArrayLike]) -> list[NDArray[np.float64]]:
        """The predictions of other recordings, one (T,) each, with every step done to them.

        Raises:
            InvalidArray: A recording is not (T,), or holds an infinite value.
        """
        recordings = [_recording(each) for each in predictions]
        for step in self.steps:
            recordings = [step(recording) for recording in recordings]
        return recordings

    def __str__(self) -> str:
        names = ("raw", *map(str, self.steps))
        pairs = zip(names, self.validation_ccc, strict=True)
        return "\n".join(f"{name}: CCC on validation {value:.3f}" for name, value in pairs)


def fit_chain(
    predictions: Sequence[ArrayLike],
    labels: Sequence[ArrayLike],
    *,
    rate_hz: float = 25.0,
    median_seconds: Sequence[float] = MEDIAN_SECONDS,
    shift_seconds: Sequence[float] = SHIFT_SECONDS,
    aggregate: Aggregate = "pooled",
) -> Chain:
    """The chain of AVEC 2015 and 2016: median filter, centring, scaling, shift, in this order.

    Of the windows, and of the shifts, the best is taken. Recordings are centred and scaled to the
    mean and the standard deviation of all labels of validation.

    Args:
        predictions: Of validation, one (T,) a recording, NaN = missing.
        labels: As long as the predictions, NaN = missing.
        rate_hz: Samples a second.
        median_seconds: Windows to try; none leaves the step out.
        shift_seconds: Shifts to try, later above 0; none leaves the step out, as in STA's chain.
        aggregate: The CCC that must rise: of all samples together, or the mean of the recordings'
            own. They are different quantities.

    Raises:
        InvalidArray: Unequal lengths, a recording is not (T,), or an infinite value.
        CommandError: Nothing to compare, a rate that is not positive, or no such aggregate.
    """
    if rate_hz <= 0:
        message = f"rate_hz is {rate_hz}, must be above 0"
        raise CommandError(message)
    search = _Search(predictions, labels, aggregate)
    search.take_best(Median(max(round(s * rate_hz), 1)) for s in median_seconds)
    search.take_best([Centre(mean_known(search.label))])
    search.take_best([Scale(deviation_known(search.label))])
    search.take_best(Shift(round(s * rate_hz)) for s in shift_seconds)
    return search.chain()


def fit_avec2018(
    predictions: Sequence[ArrayLike],
    labels: Sequence[ArrayLike],
    *,
    aggregate: Aggregate = "mean_of_sessions",
) -> Chain:
    """The chain of AVEC 2018: an offset, then a factor, the same for all recordings.

    The offset is the difference of the means of labels and predictions, the factor the ratio of
    their standard deviations, over all of validation; the factor multiplies the level too.

    Args:
        predictions: Of validation, one (T,) a recording, NaN = missing.
        labels: As long as the predictions, NaN = missing.
        aggregate: As for `fit_chain`.

    Raises:
        InvalidArray: Unequal lengths, a recording is not (T,), or an infinite value.
        CommandError: Nothing to compare, or no such aggregate.

    Source: AVEC 2018, baseline scripts of the sub-challenge GES.
    """
    search = _Search(predictions, labels, aggregate)
    search.take_best(
        [Offset(mean_known(search.label) - mean_known(np.concatenate(search.recordings)))]
    )
    own = deviation_known(np.concatenate(search.recordings))
    search.take_best([Gain(deviation_known(search.label) / own)] if own > 0 else [])
    return search.chain()


class _Search:
    """Steps taken one after the other, where they raise the CCC on validation."""

    def __init__(
        self, predictions: Sequence[ArrayLike], labels: Sequence[ArrayLike], aggregate: Aggregate
    ) -> None:
        if aggregate not in _AGGREGATES:
            message = f"aggregate is {aggregate!r}. Choose one of {', '.join(_AGGREGATES)}"
            raise CommandError(message)
        self.recordings = [_recording(each) for each in predictions]
        self._labels = [_recording(each) for each in labels]
        _require_pairs(self.recordings, self._labels)
        self._score = _AGGREGATES[aggregate]
        self._steps: list[Step] = []
        self._ccc = [self._score(self.recordings, self._labels)]

    @property
    def label(self) -> NDArray[np.float64]:
        """All labels, one recording after the other."""
        return np.concatenate(self._labels)

    def take_best(self, candidates: Iterable[Step]) -> None:
        """Takes the best of the candidates, the first of equal ones, if it is better than none."""
        best: Step | None = None
        highest = self._ccc[-1]
        for step in candidates:
            value = self._score([step(each) for each in self.recordings], self._labels)
            # An unknown CCC (a constant) is worse than any that is known.
            if value > highest or (np.isnan(highest) and not np.isnan(value)):
                best, highest = step, value
        if best is not None:
            self.recordings = [best(each) for each in self.recordings]
            self._steps.append(best)
            self._ccc.append(highest)

    def chain(self) -> Chain:
        """What was taken."""
        return Chain(tuple(self._steps), tuple(self._ccc))


def _pooled(recordings: Sequence[Floats], labels: Sequence[Floats]) -> float:
    return ccc(np.concatenate(recordings), np.concatenate(labels))


def _mean_of_sessions(recordings: Sequence[Floats], labels: Sequence[Floats]) -> float:
    """Of those in which it is defined."""
    return mean_known(np.array([ccc(*pair) for pair in zip(recordings, labels, strict=True)]))


_AGGREGATES: Final[dict[Aggregate, Callable[[Sequence[Floats], Sequence[Floats]], float]]] = {
    "pooled": _pooled,
    "mean_of_sessions": _mean_of_sessions,
}


def _recording(values: ArrayLike) -> Floats:
    recording = np.asarray(values, np.float64)
    if recording.ndim != 1 or np.isinf(recording).any():
        message = f"a recording of shape {recording.shape}: give (T,) without infinite values"
        raise InvalidArray(message)
    return recording


def _require_pairs(recordings: Sequence[Floats], labels: Sequence[Floats]) -> None:
    lengths = [[len(each) for each in group] for group in (recordings, labels)]
    if lengths[0] != lengths[1]:
        message = f"predictions of lengths {lengths[0]}, labels of {lengths[1]}: must be the same"
        raise InvalidArray(message)
    pairs = zip(recordings, labels, strict=True)
    if not any(np.isfinite(recording + label).any() for recording, label in pairs):
        message = "no sample of validation has a prediction and a label. Give the part val"
        raise CommandError(message)
