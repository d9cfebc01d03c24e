"""The raters of one dimension with their traces and lags, over all sessions of a study."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from mavfer.errors import InvalidFile, NotFound
from mavfer.files import sha256_of
from mavfer.fusion import MAX_LAG_SECONDS, estimate_lags
from mavfer.study.ratings import find_ratings, rating_at, read_rating_and_repeat
from mavfer.study.shard_index import read_index
from mavfer.study.shards import Shard

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from mavfer.study.ratings import Rating
    from mavfer.study.study import Study

    Floats = NDArray[np.float64]

__all__ = ["LAG_RATE_HZ", "Panel", "RatedSession", "read_panels"]

LAG_RATE_HZ: Final = 25
"""Times a second at which traces are compared for their lags; a frame of this is 0.04 s."""

_FEWEST_SAMPLES: Final = 2


@dataclass(frozen=True)
class RatedSession:
    """What the raters of a panel gave for one session."""

    name: str
    time_seconds: NDArray[np.float64]
    """(T,), of the shard's frames."""
    ratings: tuple[Rating | None, ...]
    """K, None for a rater who did not rate this session."""
    repeats: tuple[Rating | None, ...]
    """K, what raters gave who were shown the session again without being told; never counted."""
    inputs: dict[str, str]
    """SHA-256 of samples and documents, repeats too, by file below the study."""

    def traces(self, lags_seconds: NDArray[np.float64]) -> Floats:
        """What each rater said of each frame (K, T): the rating a lag later, NaN where unknown."""
        return _sampled(self.ratings, self.time_seconds, lags_seconds)

    def repeat_traces(self, lags_seconds: NDArray[np.float64]) -> Floats:
        """As `traces`, of the hidden repeats; NaN for raters without one."""
        return _sampled(self.repeats, self.time_seconds, lags_seconds)

    def raw(self, seconds: NDArray[np.float64]) -> Floats:
        """What each rater said at times (N,) of the media (K, N), nobody moved."""
        return _sampled(self.ratings, seconds, np.zeros(len(self.ratings)))


@dataclass(frozen=True)
class Panel:
    """The raters of one dimension."""

    dimension: str
    raters: tuple[str, ...]
    """K codes, sorted."""
    sessions: tuple[RatedSession, ...]
    measured_seconds: NDArray[np.float64]
    """(K,), lag that a calibration clip showed, NaN where there is none."""

    @property
    def rate_hz(self) -> float:
        """Frames a second, the median over all sessions."""
        steps = [np.diff(session.time_seconds) for session in self.sessions]
        return float(1 / np.median(np.concatenate(steps)))

    @property
    def is_calibrated(self) -> bool:
        """Whether any rater's lag was measured."""
        return bool(np.isfinite(self.measured_seconds).any())

    def lags(
        self, reaction_seconds: float = 0.0, told_by: str = ""
    ) -> tuple[NDArray[np.float64], tuple[str, ...]]:
        """Lag of every rater (K,), NaN where none can be told, and where each comes from.

        A measured lag is taken as it is. The others follow from the traces, over all sessions
        together: relative to the measured raters where there are any, else to the fastest rater,
        who is late by `reaction_seconds`, as something told.
        """
        measured = self.measured_seconds
        is_measured = np.isfinite(measured)
        if is_measured.all():
            return measured.copy(), ("calibration clip",) * len(measured)
        relative = self.relative_lags()
        both = is_measured & np.isfinite(relative)
        if both.any():
            offset, source = float(np.median((measured - relative)[both])), "measured raters"
        elif is_measured.any():
            relative = np.full(len(measured), np.nan)
            offset, source = 0.0, "measured raters"
        else:
            offset = reaction_seconds
            source = f"fastest rater and {told_by}" if told_by else "fastest rater"
        lags = np.where(is_measured, measured, np.maximum(relative + offset, 0.0))
        sources = tuple("calibration clip" if m else f"traces, {source}" for m in is_measured)
        return lags, sources

    def joined(self, lags_seconds: NDArray[np.float64]) -> Floats:
        """All sessions one after the other (K, T), each rater a lag later, NaN between sessions."""
        gap = np.full((len(self.raters), 1), np.nan)
        parts = [part for session in self.sessions for part in (session.traces(lags_seconds), gap)]
        return np.concatenate(parts[:-1], axis=1)

    def relative_lags(self) -> NDArray[np.float64]:
        """Lags behind the fastest rater (K,), told from all sessions at once; NaN where unknown."""
        raters = len(self.raters)
        gap = np.full((raters, int(MAX_LAG_SECONDS * LAG_RATE_HZ) + 1), np.nan)
        parts: list[Floats] = []
        for session in self.sessions:
            times = np.arange(0, session.time_seconds[-1], 1 / LAG_RATE_HZ)
            parts += [session.raw(times), gap]
        return estimate_lags(np.concatenate(parts, axis=1), LAG_RATE_HZ)


def read_panels(study: Study) -> list[Panel]:
    """A panel for every dimension of the study that was rated.

    Of a rater the last finished take counts, of those not finished the last, and never a hidden
    repeat. Sessions without a shard, and stills, which have no time, are left out.

    Raises:
        NotFound: There are no shards, or no ratings.
        InvalidFile: A rating is torn, or has fewer than two samples that can be used.
    """
    lines = [line for line in read_index(study) if line["kind"] != "stills"]
    if not lines:
        message = f"{study.shards_folder}: no shards of video. Run mavfer preprocess {study.root}"
        raise NotFound(message)
    sessions = [line["session"] for line in lines]
    dimensions = [str(dimension["name"]) for dimension in study.document["dimensions"]]
    panels = [panel for name in dimensions for panel in _panel(study, name, sessions)]
    if not panels:
        message = (
            f"{study.ratings_folder}: no ratings yet. "
            f"Collect them: mavfer annotate collect {study.root}"
        )
        raise NotFound(message)
    return panels


def _panel(study: Study, dimension: str, sessions: Sequence[str]) -> Iterator[Panel]:
    """The panel of one dimension, or none."""
    found = {
        session: {rater for name, rater, _, _ in find_ratings(study, session) if name == dimension}
        for session in sessions
    }
    raters = tuple(sorted(set().union(*found.values())))
    if not raters:
        return
    rated = tuple(
        _rated_session(
            study, session, dimension, [r if r in found[session] else None for r in raters]
        )
        for session in sessions
        if found[session]
    )
    yield Panel(dimension, raters, rated, _measured_seconds(rated))


def _rated_session(
    study: Study, session: str, dimension: str, raters: Sequence[str | None]
) -> RatedSession:
    takes = [
        (None, None) if rater is None else read_rating_and_repeat(study, session, dimension, rater)
        for rater in raters
    ]
    ratings = tuple(rating for rating, _ in takes)
    repeats = tuple(repeat for _, repeat in takes)
    inputs = {}
    for rating in ratings + repeats:
        if rating is not None:
            folder = study.ratings_folder / session
            name = f"{dimension}.{rating.rater}.{rating.take:03d}"
            _require_samples(rating, f"{folder / name}.csv")
            for ending in ("csv", "json"):
                path = folder / f"{name}.{ending}"
                inputs[path.relative_to(study.root).as_posix()] = sha256_of(path)
    times = np.asarray(Shard(study.shard_path(session)).time_seconds, np.float64)
    return RatedSession(session, times, ratings, repeats, inputs)


def _measured_seconds(sessions: Sequence[RatedSession]) -> Floats:
    """Median over sessions of what each rater's documents say (K,)."""
    raters = len(sessions[0].ratings)
    measured = np.full(raters, np.nan)
    for rater in range(raters):
        said = [_reaction(session.ratings[rater]) for session in sessions]
        known = [seconds for seconds in said if seconds is not None]
        if known:
            measured[rater] = np.median(known)
    return measured


def _reaction(rating: Rating | None) -> float | None:
    """Lag that the calibration clip showed, as the rating's settings hold it."""
    seconds = rating.document["settings"].get("reaction_seconds") if rating else None
    return float(seconds) if isinstance(seconds, int | float) and np.isfinite(seconds) else None


def _require_samples(rating: Rating, where: str) -> None:
    usable = int(np.sum(~np.isnan(rating.value)))
    if usable < _FEWEST_SAMPLES:
        message = (
            f"{where}: {usable} samples with a value, a trace needs at least {_FEWEST_SAMPLES}. "
            f"Move the take out of ratings/, or have it rated again"
        )
        raise InvalidFile(message)


def _sampled(ratings: Sequence[Rating | None], times: Floats, lags: Floats) -> Floats:
    """(K, T); a rater whose lag is unknown is moved by the median of the others."""
    known = lags[np.isfinite(lags)]
    usual = float(np.median(known)) if len(known) else 0.0
    return np.stack(
        [
            np.full(len(times), np.nan)
            if rating is None
            else rating_at(rating, times, lag_seconds=float(lag) if np.isfinite(lag) else usual)
            for rating, lag in zip(ratings, lags, strict=True)
        ]
    )
