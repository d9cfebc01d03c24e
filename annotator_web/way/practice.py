"""The practice clip: how near a rater came to the expert, and whether that is near enough.

A try is one finished take of each group of dimensions. What was given is compared with the expert's
label frame by frame, shifted by the one lag of 0 to 3 s that suits the rater best, since everybody
moves late; the mark on each dimension is the CCC at that lag. On a scale without ends only the
shape can be compared, so there the rater's line is first brought to the expert's mean and spread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from annotator_web.store import takes
from annotator_web.store.samples import names_of
from mavfer.errors import NotFound
from mavfer.metrics import ccc
from mavfer.study.labels import read_label
from mavfer.study.ratings import Rating, rating_at

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray
    from sqlalchemy import Connection

    from annotator_web.project import Practice, Project
    from annotator_web.store.takes import Take

    Floats = NDArray[np.float64]

__all__ = ["MOST_TRIES", "Line", "Outcome", "State", "practice_state"]

MOST_TRIES: Final = 3
"""After so many tries a rater goes on whatever came of them."""

_LAGS_SECONDS: Final = np.arange(0.0, 3.01, 0.1)
_LEAST_SHARE: Final = 0.5
"""Of the clip's frames that a comparison must rest on."""


@dataclass(frozen=True)
class Line:
    """One dimension of a try."""

    dimension: str
    own: Floats
    """(T,), what the rater gave for each frame, the lag taken off; NaN where nothing."""
    expert: Floats
    """(T,)."""
    mark: float | None
    """CCC; None where there was too little to compare."""


@dataclass(frozen=True)
class Outcome:
    """What came of the last try."""

    lines: tuple[Line, ...]
    """Empty where the expert's label is missing."""
    lag_seconds: float
    pass_ccc: float

    @property
    def is_passed(self) -> bool:
        """Whether each mark reaches the goal; also where there is nothing to compare with."""
        return all(line.mark is not None and line.mark >= self.pass_ccc for line in self.lines)


@dataclass(frozen=True)
class State:
    """How far a rater is with the practice."""

    session: str
    tries: int
    """Tries that are complete."""
    is_begun: bool
    """Whether the next try was begun."""
    next_dimensions: tuple[str, ...]
    """What is rated next."""
    outcome: Outcome | None
    """Of the last try; None before the first."""

    @property
    def may_go_on(self) -> bool:
        """Whether the sessions are open: passed, or tried often enough."""
        return self.outcome is not None and (self.outcome.is_passed or self.tries >= MOST_TRIES)

    def details(self) -> dict[str, Any]:
        """What is kept of it, for the study's manager."""
        if self.outcome is None:
            return {"tries": self.tries}
        marks = {line.dimension: _rounded(line.mark) for line in self.outcome.lines}
        return {
            "tries": self.tries,
            "ccc": marks,
            "lag_seconds": round(self.outcome.lag_seconds, 3),
            "passed": self.outcome.is_passed,
        }


def practice_state(
    connection: Connection, project: Project, practice: Practice, rater: int
) -> State:
    """How far a rater is with the practice clip."""
    found = takes.find_takes(connection, rater, practice.session)
    groups = project.groups()
    by_group = [[take for take in found if set(take.dimensions) == set(g)] for g in groups]
    finished = [[take for take in own if take.is_finished] for own in by_group]
    tries = min(len(own) for own in finished)
    following = next(at for at, own in enumerate(finished) if len(own) == tries)
    last = [own[tries - 1] for own in finished] if tries else []
    return State(
        session=practice.session,
        tries=tries,
        is_begun=any(len(own) > tries for own in by_group),
        next_dimensions=groups[following],
        outcome=_outcome(connection, project, practice, last) if last else None,
    )


def _outcome(
    connection: Connection, project: Project, practice: Practice, last: Sequence[Take]
) -> Outcome:
    times = project.media_table(practice.session).pts_seconds
    names = [name for take in last for name in take.dimensions]
    try:
        label = read_label(project.study, practice.label, practice.session, len(times), names)
    except NotFound:
        return Outcome((), 0.0, practice.pass_ccc)
    expert = {name: label.values[name].astype(np.float64) for name in names}
    ratings = {name: rating for take in last for name, rating in _ratings(connection, take).items()}
    has_ends = project.scale != "unbounded"
    choices = [_lines(ratings, expert, times, lag, has_ends=has_ends) for lag in _LAGS_SECONDS]
    best = int(np.argmax([_worth(lines) for lines in choices]))
    return Outcome(choices[best], float(_LAGS_SECONDS[best]), practice.pass_ccc)


def _ratings(connection: Connection, take: Take) -> dict[str, Rating]:
    """The samples of a take, by dimension, as the study's own reader of ratings takes them."""
    columns = names_of(take.dimensions)
    samples = dict(zip(columns, takes.samples_of(connection, take.id, columns), strict=True))
    return {
        name: Rating(
            session=take.session,
            dimension=name,
            rater="",
            take=take.number,
            is_complete=True,
            media_time=samples["media_time"],
            value=samples[name],
            flags=samples["flags"].astype(np.int64),
            passes=((0, len(samples["flags"])),),
            document={},
        )
        for name in take.dimensions
    }


def _lines(
    ratings: Mapping[str, Rating],
    expert: Mapping[str, Floats],
    times: Floats,
    lag: float,
    *,
    has_ends: bool,
) -> tuple[Line, ...]:
    lines = []
    for name, rating in ratings.items():
        own = rating_at(rating, times, lag_seconds=lag)
        if not has_ends:
            own = _fitted(own, expert[name])
        lines.append(Line(name, own, expert[name], _mark(own, expert[name])))
    return tuple(lines)


def _mark(own: Floats, expert: Floats) -> float | None:
    both = np.isfinite(own) & np.isfinite(expert)
    if both.sum() < max(2, _LEAST_SHARE * np.isfinite(expert).sum()):
        return None
    mark = ccc(own[both], expert[both])
    return None if np.isnan(mark) else float(mark)


def _fitted(own: Floats, expert: Floats) -> Floats:
    """`own` with the mean and the spread of `expert`."""
    both = np.isfinite(own) & np.isfinite(expert)
    spread = np.std(own[both]) if both.any() else 0.0
    if spread == 0:
        return own
    fitted: Floats = (own - own[both].mean()) / spread * expert[both].std() + expert[both].mean()
    return fitted


def _worth(lines: Sequence[Line]) -> float:
    """Mean mark, the worst where one is missing."""
    return float(np.mean([-1.0 if line.mark is None else line.mark for line in lines]))


def _rounded(mark: float | None) -> float | None:
    return None if mark is None else round(mark, 4)
