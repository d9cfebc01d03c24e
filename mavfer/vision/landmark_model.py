"""Where the landmark model lies on this machine, and how many points it knows.

Only the path and the first bytes are looked at; dlib reads the file. `face_recognition_models` is a
folder of data in the shape of a package: it is found, never imported, because its import fails on
current setuptools.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from mavfer.errors import CommandError, InvalidFile, MissingExtra, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "LANDMARK_MODEL_NAME",
    "LANDMARK_MODEL_SHA256",
    "LandmarkModelFile",
    "ModelKind",
    "find_landmark_model",
]

ModelKind = Literal["68", "5"]
"""How many points a model knows."""

LANDMARK_MODEL_NAME: Final[dict[ModelKind, str]] = {
    "68": "shape_predictor_68_face_landmarks.dat",
    "5": "shape_predictor_5_face_landmarks.dat",
}
LANDMARK_MODEL_SHA256: Final[dict[ModelKind, str]] = {
    "68": "fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f",
    "5": "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
}
"""Hashes of the files that PyPI's package carries; Debian's 68-point file is the same."""

_LICENCE_NOTES: Final[dict[ModelKind, str]] = {
    "68": (
        "the 68-point landmark model was trained on iBUG 300-W, whose owners exclude commercial use"
    ),
    "5": (
        "the 5-point landmark model was trained on pictures that dlib's author labelled himself, "
        "and is given away under CC0"
    ),
}
_FIRST_BYTES: Final[dict[bytes, ModelKind]] = {
    b"\x01\x01\x81\x88": "68",
    b"\x01\x01\x81\x0a": "5",
}
"""dlib writes the version and then the length of the mean shape: 136 or 10 coordinates."""
_FOLDER_VARIABLE: Final = "MAVFER_DLIB_MODELS"
_DEBIAN_FOLDER: Final = Path("/usr/share/dlib")


@dataclass(frozen=True)
class LandmarkModelFile:
    """The landmark model that will be used, and what a user must know about it."""

    path: Path
    """The file, as dlib wants it."""
    kind: ModelKind
    """How many points it knows; told by its first bytes, whatever its name."""

    @property
    def points(self) -> int:
        """Points that are known of a face: 68 or 5."""
        return int(self.kind)

    @property
    def licence_note(self) -> str:
        """One sentence to show once a run."""
        return _LICENCE_NOTES[self.kind]


def find_landmark_model(
    explicit: Path | None = None, *, kind: ModelKind | None = None
) -> LandmarkModelFile:
    """The landmark model on this machine.

    Looked for in this order: `explicit`, the environment variable MAVFER_DLIB_MODELS, the package
    face_recognition_models, Debian's /usr/share/dlib (which has the 68-point model alone).

    Args:
        explicit: The file, or a folder that holds it; nothing else is then looked at.
        kind: The model with 68 points or that with 5; None takes a named file as it is, and else
            the one with 68.

    Raises:
        NotFound: `explicit` or the environment variable names a place without the model.
        CommandError: The file that is named there is a model of the other kind.
        InvalidFile: The file is no landmark model with 68 or 5 points.
        MissingExtra: No installed package brings the model.
    """
    asked = explicit or _environment_path()
    if asked is not None:
        return _named(asked, kind)
    wanted = kind or "68"
    for folder in _installed_folders():
        if (folder / LANDMARK_MODEL_NAME[wanted]).is_file():
            return _open(folder / LANDMARK_MODEL_NAME[wanted])
    debian = " (or, on Debian: apt install libdlib-data)" if wanted == "68" else ""
    message = (
        f"the {wanted}-point landmark model is not installed. "
        f"Run: pip install 'mavfer[models]'{debian}"
    )
    raise MissingExtra(message)


def _named(asked: Path, kind: ModelKind | None) -> LandmarkModelFile:
    """The model at a place that the user named."""
    path = asked / LANDMARK_MODEL_NAME[kind or "68"] if asked.is_dir() else asked
    if not path.is_file():
        message = (
            f"{path}: no landmark model there. Name the file {path.name} or its folder "
            f"with --landmarks or {_FOLDER_VARIABLE}"
        )
        raise NotFound(message)
    found = _open(path)
    if kind is not None and found.kind != kind:
        message = (
            f"{path}: this landmark model knows {found.kind} points, asked for is the one with "
            f"{kind}. Name its file, or the folder that holds both"
        )
        raise CommandError(message)
    return found


def _open(path: Path) -> LandmarkModelFile:
    """The model in a file, its kind told by its first bytes."""
    with path.open("rb") as file:
        first = file.read(4)
    if first not in _FIRST_BYTES:
        message = (
            f"{path}: not a landmark model of dlib with 68 or 5 points, or cut off. "
            "Install it again"
        )
        raise InvalidFile(message)
    return LandmarkModelFile(path, _FIRST_BYTES[first])


def _environment_path() -> Path | None:
    """What the environment variable names, if it is set."""
    value = os.environ.get(_FOLDER_VARIABLE)
    return Path(value) if value else None


def _installed_folders() -> Iterator[Path]:
    """Folders in which packages put the model."""
    spec = find_spec("face_recognition_models")
    if spec is not None and spec.origin is not None:
        yield Path(spec.origin).parent / "models"
    yield _DEBIAN_FOLDER
