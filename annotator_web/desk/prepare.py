"""One video a session that shows several streams side by side, frame for frame as the media.

Frame i of it is frame i of the media, at the very same time, so that stamps mean the same. What is
made already is skipped; a session that fails does not stop the others.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

import mavfer
from annotator_web.desk.side_by_side import SideBySide
from annotator_web.project import open_project
from mavfer.errors import CommandError, InvalidFile, MavferError, NotFound
from mavfer.files import locked, read_json, sha256_of_document
from mavfer.streams import STREAM_NAMES
from mavfer.study.media_writer import writing_media
from mavfer.study.session import Session
from mavfer.study.study import Study

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from annotator_web.project import Project
    from mavfer.recordings import Recording
    from mavfer.streams import StreamName

__all__ = ["Prepared", "parse_streams", "prepare", "sessions_to_prepare"]

_LAYOUT: Final = 1
"""Raised where pictures would look otherwise than before: then they are made again."""

_ROWS_AT_ONCE: Final = 32
_NANOSECONDS: Final = 1_000_000_000


@dataclass
class Prepared:
    """What became of the sessions."""

    made: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    """Session to the reason, in one line."""

    def to_document(self) -> dict[str, Any]:
        """As JSON."""
        return {"made": self.made, "kept": self.kept, "failed": self.failed}


def parse_streams(text: str | None) -> tuple[StreamName, ...]:
    """The streams of a list with commas; none where there is no list.

    Raises:
        CommandError: It names what is no stream, or one twice.
    """
    names = tuple(name.strip() for name in text.split(",")) if text else ()
    unknown = [name for name in names if name not in STREAM_NAMES]
    if unknown or len(set(names)) != len(names):
        message = f"--streams {text}: name some of {', '.join(STREAM_NAMES)}, each once"
        raise CommandError(message)
    return cast("tuple[StreamName, ...]", names)


def sessions_to_prepare(project: Project) -> list[str]:
    """What raters are shown: the practice clip, if there is one, and the sessions."""
    practice = project.practice
    is_shown = practice is not None and project.can_be_rated(practice.session)
    return [*([practice.session] if practice is not None and is_shown else []), *project.sessions()]


def prepare(
    project: Project,
    streams: Sequence[StreamName] = (),
    *,
    jobs: int = 1,
    advance: Callable[[int], None] = lambda _: None,
) -> Prepared:
    """Makes media/shown/<session>.<streams>.mp4 and its table for every session that is rated.

    Args:
        project: The rating project.
        streams: From left to right; those of annotation.json where none are given.
        jobs: Sessions at a time.
        advance: Called with 1 as each session is done.

    Raises:
        CommandError: Color alone needs nothing: it is the media.
        NotFound: The study has no shards.
    """
    chosen = tuple(streams) or project.streams_shown
    if chosen == ("color",):
        message = (
            "color alone is shown from media/, there is nothing to prepare. Give --streams "
            'color,depth,thermal, or "streams_shown" in annotation.json'
        )
        raise CommandError(message)
    done = Prepared()
    root = project.study.root
    names = sessions_to_prepare(project)
    if jobs == 1:
        for name in names:
            _note(done, name, _try(root, name, chosen))
            advance(1)
        return done
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        running = {pool.submit(_try, root, name, chosen): name for name in names}
        for future in as_completed(running):
            _note(done, running[future], future.result())
            advance(1)
    return done


def _note(done: Prepared, name: str, outcome: str) -> None:
    if outcome in ("made", "kept"):
        getattr(done, outcome).append(name)
    else:
        done.failed[name] = outcome


def _try(root: Path, name: str, streams: tuple[StreamName, ...]) -> str:
    """Prepares one session; "made", "kept", or why it failed."""
    try:
        return _prepare(open_project(Study.open(root)), name, streams)
    except MavferError as error:
        return str(error)


def _prepare(project: Project, name: str, streams: tuple[StreamName, ...]) -> str:
    path = project.side_by_side_path(name, streams)
    path.parent.mkdir(parents=True, exist_ok=True)
    with locked(path.with_name(f".{name}.lock"), f"session {name} is prepared"):
        recording = _recording(project.study, name)
        media = project.media_table(name)
        if len(recording) != media.frames:
            message = (
                f"session {name}: the shard has {len(recording)} frames and the media "
                f"{media.frames}. Run: mavfer preprocess {project.study.root}"
            )
            raise InvalidFile(message)
        inputs = [_LAYOUT, streams, media.video_sha256, recording.shard.attributes["inputs_sha256"]]
        inputs_sha256 = sha256_of_document(inputs)
        if _is_up_to_date(path, inputs_sha256):
            return "kept"
        pictures = SideBySide(recording, streams)
        with writing_media(
            path,
            session=name,
            host_ns=np.rint(media.pts_seconds * _NANOSECONDS).astype(np.int64),
            size=pictures.size,
            sound_from=_sound(project.study, name),
            session_sha256=inputs_sha256,
        ) as writer:
            for start in range(0, media.frames, _ROWS_AT_ONCE):
                rows = range(start, min(start + _ROWS_AT_ONCE, media.frames))
                for picture in pictures.pictures(rows):
                    writer.write(picture)
    _require_same_times(project, name, path)
    return "made"


def _sound(study: Study, name: str) -> Path | None:
    """The file with the session's sound, where the media has any."""
    if not read_json(study.media_table_path(name))["has_audio"]:
        return None
    return Session.open(study.session_folder(name)).sound_path


def _is_up_to_date(path: Path, inputs_sha256: str) -> bool:
    table = path.with_suffix(".json")
    if not (path.is_file() and table.is_file()):
        return False
    return bool(read_json(table)["session_sha256"] == inputs_sha256)


def _require_same_times(project: Project, name: str, path: Path) -> None:
    """Raises where the two tables differ, which would put stamps on other frames."""
    media, shown = (
        read_json(table)["pts"]
        for table in (project.study.media_table_path(name), path.with_suffix(".json"))
    )
    if media != shown:
        path.unlink()
        message = f"{path}: its frames are not shown at the times of the media; it was deleted"
        raise InvalidFile(message)


def _recording(study: Study, name: str) -> Recording:
    for recording in mavfer.load(study.root, labels=None, verify="none"):
        if recording.session == name:
            return recording
    message = f"session {name}: has no shard to take depth and thermal from. " + (
        f"Run: mavfer preprocess {study.root}"
    )
    raise NotFound(message)
