"""What is settled before the first frame: the consent, the session's folder, its description."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, cast

from mavfer.errors import DataError, NotFound
from mavfer.files import locked, read_json, sha256_of
from mavfer.schema import require_valid
from mavfer.study.calibration import write_calibration
from mavfer.study.lock import LOCK_NAME, study_lock
from mavfer.study.study import software_versions, utc_now

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mavfer.streams import StreamName
    from mavfer.study.color_writer import ColorCodec
    from mavfer.study.study import Study
    from recording.camera import CameraInfo, Rig
    from recording.stretches import LastStamp

__all__ = [
    "Consent",
    "TakePlace",
    "clock_pair",
    "color_codec",
    "describe_stream",
    "new_session",
    "require_consent",
]

_SIMULATED: Final = "simulated"
_BOOT_ID: Final = Path("/proc/sys/kernel/random/boot_id")
"""Where Linux names the present run of the computer, whose monotonic clock begins with it."""


@dataclass(frozen=True)
class TakePlace:
    """Where a take goes, settled before its first frame."""

    folder: Path
    """Of the session."""
    files: Path
    """Folder in which color.mkv and streams.h5 are written."""
    document: dict[str, Any]
    """session.json while the take goes on."""
    state: Literal["finished", "recovered"] = "finished"
    """What session.json says when it ended well."""
    moved_ns: int = 0
    """What is added to the host's clock, so that the time of the session goes on."""
    begins_ns: int | None = None
    """When the session's color began; None where it begins with this take."""
    lasts: dict[StreamName, LastStamp] = field(default_factory=dict)
    """Last frames of the segment before, on this host's clock."""

    @property
    def is_segment(self) -> bool:
        """True where the take goes on with a session that is there."""
        return self.files != self.folder


@dataclass(frozen=True)
class Consent:
    """What session.json says of the consent."""

    sha256: str | None
    """Hash of the record; None where none is needed."""
    note: str
    """Why none is needed, or empty."""


def color_codec(rig: Rig) -> ColorCodec:
    """How the rig wants its color frames written; simulated rigs say nothing, and save room."""
    return cast("ColorCodec", rig.settings.get("color_codec", "h264"))


def require_consent(study: Study, subject: str, cameras: Sequence[CameraInfo]) -> Consent:
    """The consent of `subject`; nothing of a real person is recorded without it.

    Raises:
        NotFound: There is no consent record.
        DataError: It does not cover recording.
    """
    if all(camera.model == _SIMULATED for camera in cameras):
        return Consent(None, "simulated subject: no person was recorded")
    path = study.consent_path(subject)
    if not path.is_file():
        message = (
            f"subject {subject}: no consent record ({path}), so nothing is recorded. "
            f"Run: mavfer consent {study.root} --subject {subject} --form FILE"
        )
        raise NotFound(message)
    document = read_json(path)
    require_valid(document, "consent", path)
    if "record" not in document["scope"]:
        message = f"{path}: the consent does not cover recording. Ask subject {subject} again"
        raise DataError(message)
    return Consent(sha256_of(path), "")


@contextmanager
def new_session(
    study: Study, rig: Rig, subject: str, cameras: Sequence[CameraInfo]
) -> Iterator[TakePlace]:
    """A new session of `subject`, locked while the block runs.

    Raises:
        NotFound, DataError: The consent is missing, or does not cover recording.
    """
    consent = require_consent(study, subject, cameras)
    with _claimed_folder(study, subject) as folder:
        document = _describe_take(
            study, rig, session=folder.name, subject=subject, cameras=cameras, consent=consent
        )
        yield TakePlace(folder, folder, document)


def clock_pair() -> dict[str, Any]:
    """The host's clock and the wall clock at one moment, for a segment of session.json."""
    now_ns, utc = time.monotonic_ns(), datetime.now(UTC)
    pair: dict[str, Any] = {
        "monotonic_ns": now_ns,
        "utc": utc.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }
    if _BOOT_ID.is_file():
        pair["boot_id"] = _BOOT_ID.read_text().strip()
    return pair


@contextmanager
def _claimed_folder(study: Study, subject: str) -> Iterator[Path]:
    """A new session's folder that no other recorder has, locked; removed where nothing came of it.

    The lock tells an audit that the take is still going on.
    """
    with study_lock(study):
        folder = study.session_folder(study.next_session(subject))
        folder.mkdir(parents=True)
    with locked(folder / LOCK_NAME, f"session {folder.name} is being recorded"):
        try:
            yield folder
        except BaseException:
            _remove_if_unused(folder)
            raise


def _remove_if_unused(folder: Path) -> None:
    """Removes a folder in which no session was begun."""
    if not (folder / "session.json").exists():
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()


def _describe_take(
    study: Study,
    rig: Rig,
    *,
    session: str,
    subject: str,
    cameras: Sequence[CameraInfo],
    consent: Consent,
) -> dict[str, Any]:
    """session.json at the start of the take."""
    with study_lock(study):
        study.add_participant(subject)
        calibration = write_calibration(study, rig.calibration) if rig.calibration else None
    path = study.calibration_path(calibration) if calibration else None
    is_simulated = all(camera.model == _SIMULATED for camera in cameras)
    return {
        "format": "mavfer.session",
        "version": 1,
        "session": session,
        "subject": subject,
        "kind": "simulated" if is_simulated else "video",
        "state": "recording",
        "created_utc": utc_now(),
        "streams": {camera.stream: describe_stream(camera, color_codec(rig)) for camera in cameras},
        "calibration": calibration,
        "calibration_sha256": sha256_of(path) if path else None,
        "consent_sha256": consent.sha256,
        "consent_note": consent.note,
        "segments": [clock_pair()],
        "settings": {"rig": rig.name, **rig.settings},
        "source": None,
        "audit": None,
        "versions": software_versions("av", "opencv-python", "numba"),
    }


def describe_stream(camera: CameraInfo, codec: str) -> dict[str, Any]:
    """What session.json says of one camera."""
    entry: dict[str, Any] = {
        "model": camera.model,
        "serial": camera.serial,
        "width": camera.width,
        "height": camera.height,
        "rate_hz": camera.rate_hz,
        "settings": {"clock_hz": camera.clock_hz, **camera.settings},
    }
    if camera.stream == "depth":
        return {**entry, "depth_mm_per_count": camera.depth_mm_per_count}
    if camera.stream == "thermal":
        return {**entry, "radiometry": camera.radiometry}
    return {
        **entry,
        "file": "color.mkv",
        "codec": codec,
        "lossless_copy": False,
        "rotation_degrees": 0,
        "has_audio": False,
    }
