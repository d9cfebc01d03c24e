"""Further segments: an interrupted take goes on in its session.

While a segment is recorded, its files lie in a folder of their own within the session, and those of
the segments before stay as they are. When it is over, or an audit has mended it, both are written
as one beside the old, compared, and only then take their place: readers see one color.mkv and one
streams.h5, whatever the number of segments.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from mavfer.errors import AlreadyThere, CommandError, DataError, DeviceError, InvalidFile
from mavfer.files import locked, replacing
from mavfer.study.calibration import write_calibration
from mavfer.study.color_writer import join_color, require_joinable
from mavfer.study.hdf5 import open_hdf5, require_valid_hdf5
from mavfer.study.lock import LOCK_NAME, study_lock
from mavfer.study.session import Session
from mavfer.study.streams_file import open_streams
from mavfer.study.streams_writer import copy_streams
from mavfer.study.video_copy import count_packets
from recording.camera import ClockDomain
from recording.recovery import complete_stamps, require_same_frames
from recording.stretches import LastStamp
from recording.take import TakePlace, clock_pair, color_codec, describe_stream, require_consent

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from mavfer.streams import StreamName
    from mavfer.study.study import Study
    from recording.camera import CameraInfo, Rig

__all__ = ["join_segment", "next_segment", "pending_segment", "set_segment_aside"]

_NANOSECONDS: Final = 1_000_000_000
_SAME_RUN_NS: Final = _NANOSECONDS
"""Two clocks that went apart by less between segments ran through, where no run has a name."""
_FREE: Final = ("settings",)
"""What may differ in a stream's entry from segment to segment."""


@contextmanager
def next_segment(
    study: Study, rig: Rig, subject: str, cameras: Sequence[CameraInfo], session: str
) -> Iterator[TakePlace]:
    """A further segment of `session`, locked while the block runs.

    Raises:
        NotFound: There is no such session.
        DataError: It is of another subject, was not audited, or is damaged or imported; or the
            consent or the calibration is another one than before.
        AlreadyThere: It was preprocessed already, so that raters may have seen it.
        DeviceError: The cameras are not those of the session.
        InvalidFile: Its color was written by another encoder.
        CommandError: The rig does not run in real time, so that there is no time to go on.
    """
    if not rig.is_paced:
        message = f"rig {rig.name}: gives no frames in real time, so no take goes on with it"
        raise CommandError(message)
    Session.open(study.session_folder(session))
    folder = study.session_folder(session)
    with locked(folder / LOCK_NAME, f"session {session} is being recorded"):
        before = Session.open(folder)
        _require_open_end(study, before, subject)
        _require_same_cameras(before, cameras, color_codec(rig))
        _require_same_papers(study, rig, before, subject, cameras)
        require_joinable(
            before.color_path,
            rate_hz=before.document["streams"]["color"]["rate_hz"],
            codec=color_codec(rig),
        )
        place = _place(before)
        shutil.rmtree(place.files, ignore_errors=True)  # of a start that came to nothing
        place.files.mkdir()
        try:
            yield place
        except BaseException:
            if Session.open(folder).state != "recording":
                shutil.rmtree(place.files)
            raise


def pending_segment(session: Session) -> Session | None:
    """The files of the last segment as a session of their own, where they were not joined yet."""
    folder = _segment_folder(session.folder, len(session.document["segments"]))
    return Session(folder, session.document) if folder.is_dir() else None


def join_segment(session: Session, segment: Session) -> None:
    """Puts the frames of a whole `segment` behind those of `session`, and removes its files.

    Interrupted at any point and called again it goes on where it was.

    Raises:
        InvalidFile: What was written differs from what was read; the session is as it was.
    """
    before: dict[StreamName, int] = session.document["segments"][-1]["first_frames"]
    _join_streams(session.streams_path, segment.streams_path, before)
    _join_color(session.color_path, segment.color_path, before["color"])
    _remove(segment.folder)


def set_segment_aside(session: Session, segment: Session) -> dict[str, Any]:
    """session.json without its last segment, of which nothing can be read; its files are kept."""
    aside = segment.folder.with_suffix(".unreadable")
    shutil.rmtree(aside, ignore_errors=True)
    segment.folder.rename(aside)
    return {**session.document, "segments": session.document["segments"][:-1]}


def _segment_folder(folder: Path, number: int) -> Path:
    return folder / f"segment-{number:03d}"


def _place(before: Session) -> TakePlace:
    """Where the segment goes, and where the time and the streams of the session stand."""
    segments = before.document["segments"]
    rows = {stream: before.times(stream) for stream in before.streams}
    last_ns = max(int(times["host_ns"][-1]) for times in rows.values() if len(times))
    pair = clock_pair()
    moved_ns = _moved_ns(segments[-1], pair, last_ns)
    entry = {
        **pair,
        "monotonic_ns": pair["monotonic_ns"] + moved_ns,
        "moved_ns": moved_ns,
        "gap_seconds": round((pair["monotonic_ns"] + moved_ns - last_ns) / _NANOSECONDS, 3),
        "first_frames": {stream: len(times) for stream, times in rows.items()},
    }
    state: Literal["finished", "recovered"] = (
        "recovered" if before.state == "recovered" else "finished"
    )
    return TakePlace(
        folder=before.folder,
        files=_segment_folder(before.folder, len(segments) + 1),
        document={**before.document, "state": "recording", "segments": [*segments, entry]},
        state=state,
        moved_ns=moved_ns,
        begins_ns=int(rows["color"]["host_ns"][0]),
        lasts={stream: _last(times[-1], moved_ns) for stream, times in rows.items() if len(times)},
    )


def _last(row: Any, moved_ns: int) -> LastStamp:
    """The last frame of a stream, on the clock that the host has now."""
    is_of_host = row["domain"] != ClockDomain.DEVICE
    return LastStamp(
        host_ns=int(row["host_ns"]) - moved_ns,
        device_ns=int(row["device_ns"]) - (moved_ns if is_of_host else 0),
        frame_number=int(row["frame_number"]),
    )


def _moved_ns(before: dict[str, Any], pair: dict[str, Any], last_ns: int) -> int:
    """What brings the host's clock of now onto that of the session.

    Nothing new as long as the computer ran through; after a restart the wall clock tells how much
    time passed. Where that was set back, the segment begins a second after the last frame.
    """
    moved_ns: int = before.get("moved_ns", 0)
    now_ns: int = pair["monotonic_ns"]
    passed_ns = _utc_ns(pair["utc"]) - _utc_ns(before["utc"])
    strayed_ns = before["monotonic_ns"] + passed_ns - (now_ns + moved_ns)
    runs = before.get("boot_id"), pair.get("boot_id")
    ran_through = abs(strayed_ns) < _SAME_RUN_NS if None in runs else runs[0] == runs[1]
    if not ran_through:
        moved_ns += strayed_ns
    return (
        max(moved_ns, last_ns + _NANOSECONDS - now_ns) if now_ns + moved_ns <= last_ns else moved_ns
    )


def _utc_ns(text: str) -> int:
    moment = datetime.fromisoformat(text)
    return round(moment.timestamp() * 1e6) * 1000


def _require_open_end(study: Study, session: Session, subject: str) -> None:
    """Raises where nothing can be put behind the session."""
    if session.subject != subject:
        message = f"session {session.name} is of subject {session.subject}, not of {subject}"
        raise DataError(message)
    if session.state == "recording":
        message = f"session {session.name} was interrupted. Run: mavfer audit {session.folder}"
        raise DataError(message)
    if session.state == "damaged":
        message = f"session {session.name} is damaged, so it is not continued. Record a new one"
        raise DataError(message)
    if session.document.get("source") or session.truth_path.exists():
        kind = "was imported" if session.document.get("source") else "is simulated and complete"
        message = f"session {session.name} {kind}; only takes are continued. Record a new one"
        raise DataError(message)
    if session.is_archived:
        message = (
            f"session {session.name} is archived, so it is not continued. "
            f"Run: mavfer archive --restore {session.folder}"
        )
        raise DataError(message)
    if study.shard_path(session.name).exists() or study.media_path(session.name).exists():
        message = (
            f"session {session.name} was preprocessed already, so that raters may have seen it. "
            f"Record a new session"
        )
        raise AlreadyThere(message)


def _require_same_cameras(session: Session, cameras: Sequence[CameraInfo], codec: str) -> None:
    """Raises where the rig is not the one that the session was begun with."""
    before = session.document["streams"]
    now = {camera.stream: describe_stream(camera, codec) for camera in cameras}
    for stream in sorted(before.keys() | now.keys()):
        old, new = before.get(stream, {}), now.get(cast("StreamName", stream), {})
        names = sorted((old.keys() | new.keys()) - set(_FREE))
        changed = [
            f"{name} {new.get(name)!r}, not {old.get(name)!r}"
            for name in names
            if old.get(name) != new.get(name)
        ]
        if changed:
            message = (
                f"session {session.name}, {stream}: not the camera it was begun with: "
                f"{'; '.join(changed)}. Record a new session"
            )
            raise DeviceError(message)
    for camera in cameras:
        names_before, _ = session.details(camera.stream)
        if names_before != camera.detail_names:
            message = (
                f"session {session.name}, {camera.stream}: the camera gives the details "
                f"{camera.detail_names}, not {names_before}. Record a new session"
            )
            raise DeviceError(message)


def _require_same_papers(
    study: Study, rig: Rig, session: Session, subject: str, cameras: Sequence[CameraInfo]
) -> None:
    """Raises where the consent or the calibration changed since the session was begun."""
    consent = require_consent(study, subject, cameras)
    with study_lock(study):
        calibration = write_calibration(study, rig.calibration) if rig.calibration else None
    found = {"consent_sha256": consent.sha256, "calibration": calibration}
    for name, value in found.items():
        if session.document[name] != value:
            message = (
                f"session {session.name}: its {name.partition('_')[0]} is another one than now. "
                f"Record a new session"
            )
            raise DataError(message)


def _join_streams(path: Path, added: Path, before: dict[StreamName, int]) -> None:
    with open_streams(path) as old, open_streams(added) as new:
        if any(complete_stamps(old, stream) != count for stream, count in before.items()):
            return  # joined already, before an interruption
        rows = {stream: complete_stamps(new, stream) for stream in before}
        with replacing(path) as part:
            copy_streams([(old, before), (new, rows)], part)
            with open_hdf5(part) as joined:
                require_valid_hdf5(joined, "streams", path)
                require_same_frames(old, joined, before, path)
                require_same_frames(new, joined, rows, path, starts=before)


def _join_color(path: Path, added: Path, before: int) -> None:
    if count_packets(path) != before:
        return
    with replacing(path) as part:
        join_color(path, added, part)
        wanted, found = before + count_packets(added), count_packets(part)
        if found != wanted:
            message = f"{path}: joining gave {found} of {wanted} frames; the file is as it was"
            raise InvalidFile(message)


def _remove(folder: Path) -> None:
    """Removes a segment's files; half a removal must not look like a segment."""
    joined = folder.with_suffix(".joined")
    shutil.rmtree(joined, ignore_errors=True)
    folder.rename(joined)
    shutil.rmtree(joined)
