"""What a shard is made from and how, so that nothing is made twice and nothing stale is kept."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from mavfer.errors import InvalidFile, NotFound
from mavfer.files import read_json, sha256_of, sha256_of_document
from mavfer.study.fingerprints import fingerprint_of, fingerprint_of_streams
from mavfer.study.session import Session
from mavfer.vision.alignment import DEFAULT_PRESET, find_preset
from mavfer.vision.landmark_model import find_landmark_model
from mavfer.vision.subject import Click

if TYPE_CHECKING:
    from pathlib import Path

    from mavfer.study.pixels import Profile
    from mavfer.study.study import Study
    from mavfer.vision.landmark_model import ModelKind

__all__ = ["PIPELINE", "Inputs", "Options", "gather_inputs"]

PIPELINE: Final = 4
"""Raised when preprocessing gives other results from the same inputs, so that shards are remade."""


@dataclass(frozen=True)
class Options:
    """What can be chosen."""

    alignment: str = DEFAULT_PRESET
    """Preset of the crops."""
    profile: Profile = "fast"
    """Compression of the shards."""
    landmark_points: ModelKind | None = None
    """The landmark model with 68 points or that with 5; None: what is named, and else 68."""
    approximate: bool = False
    """Place depth and thermal by the face where there is no calibration."""
    media: bool = True
    """Make what raters see; without, shards alone."""
    blank_background: bool = False
    """Leave nothing but the subject's head in the crops."""
    landmark_model: Path | None = None
    """The landmark model, where it is not installed as a package."""

    def __post_init__(self) -> None:
        """Refuses an unknown preset before any session is opened."""
        find_preset(self.alignment)

    def to_document(self) -> dict[str, Any]:
        """The options that change results, as they stand in the shard."""
        return {
            "alignment": find_preset(self.alignment).name,
            "profile": self.profile,
            "approximate": self.approximate,
            "media": self.media,
            "blank_background": self.blank_background,
            "pipeline": PIPELINE,
        }


@dataclass(frozen=True)
class Inputs:
    """Everything that one session's shard depends on."""

    session: Session
    files: dict[str, str]
    """SHA-256 of every file, by its path in the study; of large files, of samples of them."""
    model: Path
    """The landmark model."""
    model_sha256: str
    calibration: dict[str, Any] | None
    """The calibration's document."""
    options: Options
    click: Click | None = None
    """Where the operator pointed at the subject."""

    @property
    def sha256(self) -> str:
        """One hash over all of it; a shard that carries it need not be made again."""
        return sha256_of_document(
            {
                "files": self.files,
                "model": self.model_sha256,
                "options": self.options.to_document(),
            }
        )


def gather_inputs(study: Study, name: str, options: Options) -> Inputs:
    """What the shard of session `name` is to be made from.

    Raises:
        NotFound: The session, one of its files, its calibration or the model is not there.
        InvalidFile: The take was cut short or is damaged, or the calibration is torn.
        MissingExtra: No package brings the landmark model.
    """
    session = Session.open(study.session_folder(name))
    if session.state in {"recording", "damaged"}:
        what = (
            "was cut short, or is being recorded" if session.state == "recording" else "is damaged"
        )
        message = f"session {name}: {what}. Run: mavfer audit {session.folder}"
        raise InvalidFile(message)
    paths = [session.folder / "session.json", session.streams_path, session.color_path]
    for path in paths:
        if not path.is_file():
            message = f"{path}: missing; session {name} needs it. Restore the session from a copy"
            raise NotFound(message)
    pointer = session.pointer()
    if pointer is not None:
        paths.append(session.pointer_path)
    fingerprints = {
        path: (fingerprint_of_streams if path == session.streams_path else fingerprint_of)(path)
        for path in paths
    }
    files = {str(path.relative_to(study.root)): value for path, value in fingerprints.items()}
    calibration = None
    if session.calibration is not None and len(session.streams) > 1:
        path = study.calibration_path(session.calibration)
        calibration = _read_calibration_document(study, session)
        files[str(path.relative_to(study.root))] = sha256_of(path)
    model = find_landmark_model(options.landmark_model, kind=options.landmark_points).path
    click = None
    if pointer is not None:
        click = Click(**{key: pointer[key] for key in ("frame", "x", "y", "width")})
    return Inputs(session, files, model, _model_sha256(model), calibration, options, click)


def _read_calibration_document(study: Study, session: Session) -> dict[str, Any]:
    """The document of the calibration that the session names, once it has been checked."""
    from mavfer.study.calibration import read_calibration

    read_calibration(study, session.calibration, session=session.name)
    document: dict[str, Any] = read_json(study.calibration_path(str(session.calibration)))
    return document


@cache
def _model_sha256(model: Path) -> str:
    return sha256_of(model)
