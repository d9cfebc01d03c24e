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
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from mavfer.streams import StreamName
    from mavfer.study.study import Study

__all__ = [
    "CALIBRATION",
    "LANGUAGES",
    "Consent",
    "Dimension",
    "MediaTable",
    "Practice",
    "Project",
    "ScaleKind",
    "open_project",
]

CALIBRATION: Final = "calibration"
"""Stands in place of a session id for the reaction-time clip, which is no session of the study."""

LANGUAGES: Final = ("en", "de", "ar")
"""Languages that the pages speak."""

ScaleKind = Literal["bounded", "unbounded", "rate"]

_AXES: Final = 2
_MEDIA_TABLES_KEPT: Final = 512

_DEFAULTS: Final[dict[str, Any]] = {
    "sessions": None,
    "dimensions": ["arousal", "valence"],
    "mode": "together",
    "scale": "bounded",
    "input": ["pointer", "touch", "keyboard", "wheel", "joystick", "gamepad"],
    "streams_shown": ["color"],
    "feedback": "none",
    "practice": None,
    "calibration_clip": True,
    "hidden_repeats": 0,
    "order": "counterbalanced",
    "rewind": True,
    "rate_seconds": 2,
    "break_minutes": 20,
    "languages": list(LANGUAGES),
    "contact": None,
    "consent": None,
    "instructions": None,
}


@dataclass(frozen=True)
class Dimension:
    """One dimension of the study and the words at its ends."""

    name: str
    low: float
    high: float
    low_word: str
    high_word: str


@dataclass(frozen=True)
class Practice:
    """The clip on which raters practise against an expert."""

    session: str
    label: str
    """Name of the label that serves as the expert's trace."""
    pass_ccc: float
    """Mark to reach on each dimension."""


@dataclass(frozen=True)
class Consent:
    """What raters agree to, in the study's own words."""

    version: str
    text: dict[str, str]
    """Language to text; an empty line parts paragraphs."""


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
    """The rating project of one study: annotation.json, with defaults for what it leaves out."""

    study: Study
    dimensions: tuple[Dimension, ...]
    mode: Literal["together", "one_at_a_time"]
    scale: ScaleKind
    input: tuple[str, ...]
    """Devices that raters may use."""
    streams_shown: tuple[StreamName, ...]
    feedback: Literal["none", "trace"]
    practice: Practice | None
    has_calibration: bool
    """Whether a reaction-time clip comes before the sessions."""
    hidden_repeats: float
    """Share of sessions that are shown twice."""
    order: Literal["counterbalanced", "study"]
    may_rewind: bool
    rate_seconds: float
    """On a scale controlled by rate: seconds from the middle to an end at full deflection."""
    break_minutes: float
    """Minutes of rating after which a break is proposed; 0 for never."""
    languages: tuple[str, ...]
    contact: str | None
    consent: Consent | None
    """None for our own words."""
    instructions: dict[str, str] | None
    """Language to text; None for our own words."""
    chosen: tuple[str, ...] | None
    """Sessions that annotation.json names; None for all."""

    @property
    def settings(self) -> dict[str, Any]:
        """What goes into every rating."""
        return {
            "feedback": self.feedback,
            "streams_shown": list(self.streams_shown),
            "playback_rate": 1,
        }

    def sessions(self) -> list[str]:
        """Sessions that have media and whose subjects agreed to be rated, in order.

        The practice clip is none of them.
        """
        names = self.study.sessions() if self.chosen is None else list(self.chosen)
        return [name for name in names if self.can_be_rated(name) and not self.is_practice(name)]

    def is_rated(self, session: str) -> bool:
        """Whether a session is one of `sessions()`."""
        names = self.study.sessions() if self.chosen is None else self.chosen
        return session in names and self.can_be_rated(session) and not self.is_practice(session)

    def is_practice(self, session: str) -> bool:
        """Whether a session is the practice clip."""
        return self.practice is not None and self.practice.session == session

    def can_be_rated(self, session: str) -> bool:
        """Whether a session has media and its subject agreed to be rated."""
        return self._has_media(session) and self._may_be_rated(session)

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

    def side_by_side_path(self, session: str, streams: Sequence[StreamName]) -> Path:
        """Where `mavfer annotate prepare` puts streams side by side; its table beside it."""
        return self.study.media_folder / "shown" / f"{session}.{'-'.join(streams)}.mp4"

    def shown_media(self, session: str) -> tuple[Path, str]:
        """The video that raters see, the media or streams side by side, and its SHA-256.

        Raises:
            NotFound: The session has no media, or its streams are not prepared.
        """
        if self.streams_shown == ("color",):
            return self.study.media_path(session), self.media_table(session).video_sha256
        path = self.side_by_side_path(session, self.streams_shown)
        table = path.with_suffix(".json")
        if not (path.is_file() and table.is_file()):
            message = (
                f"{path}: the streams of session {session} are not side by side yet. "
                f"Run: mavfer annotate prepare {self.study.root}"
            )
            raise NotFound(message)
        return path, _read_media_table(table, table.stat().st_mtime_ns).video_sha256

    def require_shown(self) -> None:
        """Returns where every session that is rated, and the practice clip, can be shown.

        Raises:
            NotFound: A session's streams are not prepared, or the practice clip has no media.
        """
        practice = () if self.practice is None else (self.practice.session,)
        if practice and not self.can_be_rated(practice[0]):
            message = (
                f"{self.study.root / 'annotation.json'}: the practice clip {practice[0]} has no "
                f"media, or may not be rated. Run: mavfer preprocess {self.study.root}"
            )
            raise NotFound(message)
        for session in filter(self.can_be_rated, (*practice, *self.sessions())):
            self.shown_media(session)

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
        CommandError: It asks for dimensions that cannot be served, or the study is a release.
    """
    study.require_writable()
    path = study.root / "annotation.json"
    document = dict(_DEFAULTS)
    if path.exists():
        given = read_json(path)
        require_valid(given, "annotation", path)
        document |= given
    dimensions = _dimensions(study, document["dimensions"], path)
    if document["mode"] == "together" and len(dimensions) > _AXES:
        message = f"{path}: {len(dimensions)} dimensions together; the plane has two. " + (
            'Use "mode": "one_at_a_time"'
        )
        raise CommandError(message)
    chosen, practice, consent = document["sessions"], document["practice"], document["consent"]
    return Project(
        study=study,
        dimensions=dimensions,
        mode=document["mode"],
        scale=document["scale"],
        input=tuple(document["input"]),
        streams_shown=tuple(document["streams_shown"]),
        feedback=document["feedback"],
        practice=None if practice is None else Practice(**practice),
        has_calibration=document["calibration_clip"],
        hidden_repeats=document["hidden_repeats"],
        order=document["order"],
        may_rewind=document["rewind"],
        rate_seconds=document["rate_seconds"],
        break_minutes=document["break_minutes"],
        languages=tuple(document["languages"]),
        contact=document["contact"],
        consent=None if consent is None else Consent(**consent),
        instructions=document["instructions"],
        chosen=None if chosen is None else tuple(chosen),
    )


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
