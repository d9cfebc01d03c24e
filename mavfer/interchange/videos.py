"""Sessions from ordinary videos: color only, kept bit for bit, each frame at its own time."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import InvalidFile
from mavfer.files import read_csv, sha256_of
from mavfer.study.lock import study_lock
from mavfer.study.session import write_session_document
from mavfer.study.streams_file import CLOCK_DOMAINS, TIMES
from mavfer.study.streams_writer import write_color_times
from mavfer.study.study import require_subject, software_versions, utc_now
from mavfer.study.video_source import SourceVideo, examine_video, keep_video

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from mavfer.study.study import Study

__all__ = [
    "ONE_SUBJECT_A_FILE",
    "import_videos",
    "read_subjects_table",
    "subjects_from_names",
]

ONE_SUBJECT_A_FILE: Final = (
    "each file became a subject of its own. Files that show the same person must share a subject "
    "code, or that person will be in training and test alike: use --subject or --subjects"
)
"""Notice to show after an import in which nobody said who is to be seen."""

_LONGEST_CODE: Final = 32


def import_videos(
    study: Study,
    files: Sequence[Path],
    *,
    subject_of: Callable[[Path], str],
    keep_audio: bool = True,
    progress: Callable[[Path, str], None] | None = None,
) -> list[str]:
    """Makes one session of each video file, and gives their ids in the order of the files.

    A file that is refused leaves nothing behind; the files before it stay imported.

    Args:
        study: Where the sessions go.
        files: Whatever PyAV decodes; rotation flags and variable frame rates are respected.
        subject_of: The subject's code of a file.
        keep_audio: Keep the sound for raters.
        progress: Called with each file and its new session.

    Raises:
        NotFound: A file is not there.
        InvalidFile: A file is not a whole video.
        CommandError: A code cannot be a subject's.
    """
    subjects = [require_subject(subject_of(path)) for path in files]
    sessions = []
    for path, subject in zip(files, subjects, strict=True):
        session = _import_video(study, path, subject, keep_audio=keep_audio)
        sessions.append(session)
        if progress is not None:
            progress(path, session)
    return sessions


def subjects_from_names(files: Sequence[Path]) -> dict[Path, str]:
    """A subject code for each file, from its name; files of the same name get different codes."""
    codes: dict[Path, str] = {}
    for path in files:
        code = re.sub(r"[^A-Za-z0-9]+", "_", path.stem).strip("_")[:_LONGEST_CODE] or "video"
        taken, number = set(codes.values()), 2
        unique = code
        while unique in taken:
            suffix = f"_{number}"
            unique = code[: _LONGEST_CODE - len(suffix)] + suffix
            number += 1
        codes[path] = unique
    return codes


def read_subjects_table(table: Path, files: Sequence[Path]) -> dict[Path, str]:
    """The subject code of each file, by a CSV with the columns `file` and `subject`.

    A file is found by its path as given, or by its name.

    Raises:
        NotFound: There is no such table.
        InvalidFile: A column is missing, or a file is not in the table.
    """
    columns = read_csv(table)
    if not {"file", "subject"} <= set(columns):
        message = f"{table}: needs the columns file and subject, has {', '.join(columns)}"
        raise InvalidFile(message)
    subjects = dict(zip(columns["file"], columns["subject"], strict=True))
    codes = {}
    for path in files:
        code = subjects.get(str(path)) or subjects.get(path.name)
        if not code:
            message = f"{table}: no row with a subject for {path.name}. Add one"
            raise InvalidFile(message)
        codes[path] = code
    return codes


def _import_video(study: Study, path: Path, subject: str, *, keep_audio: bool) -> str:
    """Builds the session beside the others and moves it into place when all of it is there."""
    source = examine_video(path)
    study.sessions_folder.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=".import-", suffix=".part", dir=study.sessions_folder))
    try:
        color = part / "color.mkv"
        is_copy = keep_video(path, source, color, keep_sound=keep_audio)
        part.chmod(0o755)  # mkdtemp's folders are for one user alone
        document = _document(study, path, source, subject, is_copy=is_copy, keep_audio=keep_audio)
        with study_lock(study):
            session = study.next_session(subject)
            write_color_times(part / "streams.h5", session, _color_times(source))
            write_session_document(part, {**document, "session": session})
            study.add_participant(subject)
            part.rename(study.session_folder(session))
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
    return session


def _color_times(source: SourceVideo) -> NDArray[Any]:
    """Stamps of a file's frames: nobody knows when they arrived, so the file's own times stand."""
    times = np.zeros(len(source.times_ns), TIMES)
    times["host_ns"] = times["device_ns"] = source.times_ns
    times["domain"] = CLOCK_DOMAINS["arrival"]
    times["frame_number"] = np.arange(len(times))
    return times


def _document(
    study: Study,
    path: Path,
    source: SourceVideo,
    subject: str,
    *,
    is_copy: bool,
    keep_audio: bool,
) -> dict[str, Any]:
    """session.json, but for the session's id."""
    consent = study.consent_path(subject)
    width, height = source.upright_size
    has_audio = keep_audio and source.description.audio_codec is not None
    return {
        "format": "mavfer.session",
        "version": 1,
        "session": "",
        "subject": subject,
        "kind": "video",
        "state": "finished",
        "created_utc": utc_now(),
        "streams": {
            "color": {
                "model": "video file",
                "serial": "",
                "width": width,
                "height": height,
                "rate_hz": source.rate_hz,
                "settings": {},
                "file": "color.mkv",
                "codec": source.description.codec if is_copy else "ffv1",
                "lossless_copy": is_copy,
                "rotation_degrees": source.rotation_degrees,
                "has_audio": has_audio,
            }
        },
        "calibration": None,
        "calibration_sha256": None,
        "consent_sha256": sha256_of(consent) if consent.is_file() else None,
        "consent_note": "" if consent.is_file() else "imported video: consent is kept elsewhere",
        "segments": [{"monotonic_ns": 0, "utc": utc_now()}],
        "settings": {"keep_audio": keep_audio},
        "source": _describe_source(path, source),
        "audit": None,
        "versions": software_versions("av"),
    }


def _describe_source(path: Path, source: SourceVideo) -> dict[str, Any]:
    """What session.json says of the file that was imported."""
    description = source.description
    return {
        "file": path.name,
        "sha256": sha256_of(path),
        "container": description.container,
        "codec": description.codec,
        "pixel_format": description.pixel_format,
        "frames": len(source.times_ns),
        "declared_frames": description.declared_frames,
        "seconds": int(source.times_ns[-1]) / 1_000_000_000,
        "audio_codec": description.audio_codec,
        "rotation_degrees": source.rotation_degrees,
        "repaired_stamps": source.repaired_times,
    }
