"""What raters are asked to rate: annotation.json, the sessions, and the times of their frames."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from mavfer.errors import CommandError, NotFound
from mavfer.files import read_json
from mavfer.schema import require_valid

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from mavfer.study.study import Study

__all__ = ["CALIBRATION", "Dimension", "MediaTable", "Project", "open_project"]

CALIBRATION: Final = "calibration"
"""Stands in place of a session id for the reaction-time clip, which is no session of the study."""

_AXES: Final = 2
_MEDIA_TABLES_KEPT: Final = 512

_DEFAULTS: Final[dict[str, Any]] = {
    "sessions": None,
    "dimensions": ["arousal", "valence"],
    "mode": "together",
    "scale": "bounded",
    "practice": None,
    "calibration_clip": True,
    "hidden_repeats": 0,
    "feedback": "none",
    "streams_shown": ["color"],
}
_SERVED_SETTINGS: Final = {"feedback": "none", "streams_shown": ["color"], "playback_rate": 1}


@dataclass(frozen=True)
class Dimension:
    """One dimension of the study and the words at its ends."""

    name: str
    low: float
    high: float
    low_word: str
    high_word: str


@dataclass(frozen=True)
class MediaTable:
    """The times of one video's frames."""

    session: str
    pts_seconds: NDArray[np.float64] = field(repr=False)
    """(T,), when each frame is shown."""
    video_sha256: str
    width: int
    height: int

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.pts_seconds)

    @property
    def seconds(self) -> float:
        """Length; the last frame is taken to last as long as the one before it."""
        last = float(self.pts_seconds[-1])
        return last + (last - float(self.pts_seconds[-2]) if self.frames > 1 else 0.0)


@dataclass(frozen=True)
class Project:
    """The rating project of one study."""

    study: Study
    dimensions: tuple[Dimension, ...]
    mode: Literal["together", "one_at_a_time"]
    has_calibration: bool
    settings: dict[str, Any]
    """What goes into every rating: feedback, the streams shown, the rate of playback."""
    notices: tuple[str, ...]
    """What annotation.json asks for and this version does not do."""
    chosen: tuple[str, ...] | None
    """Sessions that annotation.json names; None for all."""

    def sessions(self) -> list[str]:
        """Sessions that have media and whose subjects agreed to be rated, in order."""
        names = self.study.sessions() if self.chosen is None else list(self.chosen)
        return [name for name in names if self._has_media(name) and self._may_be_rated(name)]

    def media_table(self, session: str) -> MediaTable:
        """The times of a session's frames.

        Raises:
            NotFound: The session has no media.
            InvalidFile: The table is torn or against its schema.
        """
        path = self.study.media_table_path(session)
        try:
            return _read_media_table(path, path.stat().st_mtime_ns)
        except FileNotFoundError as error:
            message = (
                f"{path}: session {session} has no media. Run: mavfer preprocess {self.study.root}"
            )
            raise NotFound(message) from error

    def known_dimensions(self) -> tuple[Dimension, ...]:
        """All dimensions of the study, also those that are not rated (any more)."""
        return tuple(_dimension(document) for document in self.study.document["dimensions"])

    def groups(self) -> list[tuple[str, ...]]:
        """The dimensions of each take that a session asks for."""
        names = tuple(dimension.name for dimension in self.dimensions)
        return [names] if self.mode == "together" else [(name,) for name in names]

    def _has_media(self, session: str) -> bool:
        return (
            self.study.media_path(session).is_file()
            and self.study.media_table_path(session).is_file()
        )

    def _may_be_rated(self, session: str) -> bool:
        """False where a consent record is there and does not cover rating."""
        path = self.study.consent_path(session.rpartition("-")[0])
        return not path.exists() or "rate" in read_json(path)["scope"]


def open_project(study: Study) -> Project:
    """The rating project; the defaults where there is no annotation.json.

    Raises:
        InvalidFile: annotation.json is torn or against its schema.
        CommandError: It asks for a scale or dimensions that cannot be served, or the study is a
            release.
    """
    study.require_writable()
    path = study.root / "annotation.json"
    document = dict(_DEFAULTS)
    if path.exists():
        document = read_json(path)
        require_valid(document, "annotation", path)
    _require_served(document, path)
    dimensions = _dimensions(study, document["dimensions"], path)
    if document["mode"] == "together" and len(dimensions) > _AXES:
        message = f"{path}: {len(dimensions)} dimensions together; the plane has two. " + (
            'Use "mode": "one_at_a_time"'
        )
        raise CommandError(message)
    chosen = document["sessions"]
    return Project(
        study=study,
        dimensions=dimensions,
        mode=document["mode"],
        has_calibration=document["calibration_clip"],
        settings=_SERVED_SETTINGS,
        notices=tuple(_notices(document)),
        chosen=None if chosen is None else tuple(chosen),
    )


def _require_served(document: dict[str, Any], path: Path) -> None:
    if document["scale"] != "bounded":
        message = f'{path}: scale "{document["scale"]}" is not served. Use "bounded"'
        raise CommandError(message)


def _notices(document: dict[str, Any]) -> list[str]:
    """What is asked for and not done, a sentence each."""
    asked = {
        "practice clips": document["practice"] is not None,
        "hidden repeats": document["hidden_repeats"] > 0,
        "the live trace": document["feedback"] != "none",
        "streams other than color": document["streams_shown"] != ["color"],
    }
    return [
        f"annotation.json: {what} are not served" for what, is_asked in asked.items() if is_asked
    ]


def _dimensions(study: Study, names: list[str], path: Path) -> tuple[Dimension, ...]:
    known = {dimension["name"]: dimension for dimension in study.document["dimensions"]}
    unknown = [name for name in names if name not in known]
    if unknown:
        message = f"{path}: no dimension {unknown[0]!r} in study.json; it has {', '.join(known)}"
        raise CommandError(message)
    return tuple(_dimension(known[name]) for name in names)


def _dimension(document: dict[str, Any]) -> Dimension:
    return Dimension(**{key.name: document[key.name] for key in fields(Dimension)})


@lru_cache(maxsize=_MEDIA_TABLES_KEPT)
def _read_media_table(path: Path, _changed_ns: int) -> MediaTable:
    document = read_json(path)
    require_valid(document, "media", path)
    numerator, denominator = document["time_base"]
    return MediaTable(
        session=document["session"],
        pts_seconds=np.array(document["pts"], np.float64) * numerator / denominator,
        video_sha256=document["video_sha256"],
        width=document["width"],
        height=document["height"],
    )
