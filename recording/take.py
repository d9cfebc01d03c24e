"""What is settled before the first frame: the consent, the session's folder, its description."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from mavfer.errors import DataError, NotFound
from mavfer.files import locked, read_json, sha256_of
from mavfer.schema import require_valid
from mavfer.study.calibration import write_calibration
from mavfer.study.lock import LOCK_NAME, study_lock
from mavfer.study.study import software_versions, utc_now

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from mavfer.study.color_writer import ColorCodec
    from mavfer.study.study import Study
    from recording.camera import CameraInfo, Rig

__all__ = ["Consent", "claimed_folder", "color_codec", "describe_take", "require_consent"]

_SIMULATED: Final = "simulated"


@dataclass(frozen=True)
class Consent:
    """What session.json says of the consent."""

    sha256: str | None
    """Hash of the record; None where none is needed."""
    note: str
    """Why none is needed, or empty."""


def color_codec(rig: Rig) -> ColorCodec:
    """How the rig wants its color frames written."""
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
def claimed_folder(study: Study, subject: str) -> Iterator[Path]:
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


def describe_take(
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
        "streams": {camera.stream: _stream_entry(camera, color_codec(rig)) for camera in cameras},
        "calibration": calibration,
        "calibration_sha256": sha256_of(path) if path else None,
        "consent_sha256": consent.sha256,
        "consent_note": consent.note,
        "segments": [{"monotonic_ns": time.monotonic_ns(), "utc": utc_now()}],
        "settings": {"rig": rig.name, **rig.settings},
        "source": None,
        "audit": None,
        "versions": software_versions("av", "opencv-python", "numba"),
    }


def _stream_entry(camera: CameraInfo, codec: str) -> dict[str, Any]:
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
