"""From the database to ratings/: one CSV and JSON for each finished take and dimension.

What is there already is left alone, whatever it holds: ratings are never overwritten. Hidden
repeats say that they are; practice and the reaction-time clip stay in the database, and so does
all of a rater who asked to be erased.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from sqlalchemy import select

from annotator_web.desk.raters import reaction_of
from annotator_web.store.database import raters, takes, withdrawals
from annotator_web.store.samples import names_of
from annotator_web.store.takes import samples_of
from mavfer.files import read_json
from mavfer.study.ratings import rating_path, write_rating
from mavfer.study.study import software_versions, utc_now

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from sqlalchemy import Connection

    from annotator_web.desk.raters import Reaction
    from annotator_web.project import Project
    from annotator_web.store.database import Database

__all__ = ["Collected", "collect"]

_REPEAT: Final = "repeat"
_COLLECTED: Final = ("rating", _REPEAT)
_ERASE: Final = "erase"

_FRAME_ROW: Final = 1
_FIRST_VALUE_ROW: Final = 3


@dataclass
class Collected:
    """What a collection did."""

    written: list[str] = field(default_factory=list)
    """Ratings that were written, as "session/dimension.rater.take"."""
    kept: int = 0
    """Ratings that were there already."""
    outdated: list[str] = field(default_factory=list)
    """Ratings that were collected before they were finished, and are finished now."""
    uncalibrated: set[str] = field(default_factory=set)
    """Raters without a measured reaction time."""
    open_takes: int = 0
    """Takes that were left out because they are not finished."""
    repeats: int = 0
    """Of the written ratings, those of sessions that were shown again without a word."""
    erased: set[str] = field(default_factory=set)
    """Raters who asked to be erased; nothing of them is written."""

    def to_document(self) -> dict[str, Any]:
        """What `mavfer annotate collect --json` prints."""
        return {
            "written": self.written,
            "kept": self.kept,
            "outdated": self.outdated,
            "uncalibrated": sorted(self.uncalibrated),
            "open_takes": self.open_takes,
            "repeats": self.repeats,
            "erased": sorted(self.erased),
        }


def collect(database: Database, project: Project, *, with_incomplete: bool = False) -> Collected:
    """Writes every finished take to ratings/, once.

    Args:
        database: The annotator's database.
        project: The rating project.
        with_incomplete: Also takes that are not finished, with what has arrived.
    """
    collected = Collected()
    query = (
        select(takes, raters.c.code, raters.c.kind, withdrawals.c.wish)
        .join_from(takes, raters)
        .outerjoin(withdrawals, withdrawals.c.rater == raters.c.id)
        .where(takes.c.purpose.in_(_COLLECTED))
        .order_by(takes.c.session, raters.c.code, takes.c.number)
    )
    with database.reading() as connection:
        reactions: dict[int, Reaction] = {}
        for row in connection.execute(query).all():
            if row.wish == _ERASE:
                collected.erased.add(row.code)
                continue
            if row.finished_utc is None and not with_incomplete:
                collected.open_takes += 1
                continue
            if row.rater not in reactions:
                reactions[row.rater] = reaction_of(connection, project, row.rater)
            if reactions[row.rater].seconds is None:
                collected.uncalibrated.add(row.code)
            _collect_take(connection, project, row, reactions[row.rater], collected)
    return collected


def _collect_take(
    connection: Connection, project: Project, row: Any, reaction: Reaction, collected: Collected
) -> None:
    """Writes the dimensions of one take that are not there yet."""
    missing = []
    for name in row.dimensions:
        path = rating_path(project.study, row.session, name, row.code, take=row.number)
        if not path.exists() or not path.with_suffix(".json").exists():
            missing.append(name)
            continue
        collected.kept += 1
        if row.finished_utc is not None and not read_json(path.with_suffix(".json"))["is_complete"]:
            collected.outdated.append(_label(row, name))
    if not missing:
        return
    columns = samples_of(connection, row.id, names_of(row.dimensions))
    for name in missing:
        value_row = _FIRST_VALUE_ROW + list(row.dimensions).index(name)
        samples = _samples(columns, value_row)
        write_rating(project.study, _document(project, row, name, reaction, columns), samples)
        collected.written.append(_label(row, name))
        collected.repeats += row.purpose == _REPEAT


def _document(
    project: Project,
    row: Any,
    name: str,
    reaction: Reaction,
    columns: NDArray[np.float64],
) -> dict[str, Any]:
    """The JSON beside the samples; `write_rating` adds their count and hash."""
    passes = _passes(columns[0])
    return {
        "session": row.session,
        "dimension": name,
        "rater": row.code,
        "take": row.number,
        "kind": row.kind,
        "scale": row.scale[name],
        "input": row.client,
        "settings": {
            **project.settings,
            "dimensions": list(row.dimensions),
            **({"hidden_repeat": True} if row.purpose == _REPEAT else {}),
            "reaction_seconds": reaction.seconds,
            "reaction_take": reaction.take,
        },
        "passes": [
            {"first_sample": start, "samples": stop - start, "start_seconds": columns[0, start]}
            for start, stop in passes
        ],
        "dropped_frames": _dropped_frames(columns[_FRAME_ROW], passes),
        "video_sha256": row.video_sha256,
        "created_utc": row.finished_utc or utc_now(),
        "is_complete": row.finished_utc is not None,
        "versions": software_versions("flask", "SQLAlchemy"),
    }


def _samples(columns: NDArray[np.float64], value_row: int) -> dict[str, list[Any]]:
    """Columns of the CSV; None where nothing was given."""
    return {
        "media_time": columns[0].tolist(),
        "frame": [None if np.isnan(f) else int(f) for f in columns[_FRAME_ROW]],
        "clock_ms": columns[2].tolist(),
        "value": [None if np.isnan(v) else float(v) for v in columns[value_row]],
        "flags": columns[-1].astype(int).tolist(),
    }


def _passes(media_time: NDArray[np.float64]) -> list[tuple[int, int]]:
    """First row and end of each pass; going back in the media begins a new one."""
    if not len(media_time):
        return []
    starts = [0, *(np.flatnonzero(np.diff(media_time) < 0) + 1).tolist()]
    return list(zip(starts, [*starts[1:], len(media_time)], strict=True))


def _dropped_frames(frame: NDArray[np.float64], passes: list[tuple[int, int]]) -> int:
    """Frames between the first and last of each pass for which no sample came."""
    dropped = 0
    for start, stop in passes:
        shown = np.unique(frame[start:stop][~np.isnan(frame[start:stop])])
        dropped += int(shown[-1] - shown[0] + 1 - len(shown)) if len(shown) else 0
    return dropped


def _label(row: Any, name: str) -> str:
    return f"{row.session}/{name}.{row.code}.{row.number:03d}"
