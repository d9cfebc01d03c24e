"""Where the 68-point landmark model lies on this machine.

Only the path is looked for; dlib reads the file. `face_recognition_models` is a folder of data in
the shape of a package: it is found, never imported, because its import fails on current setuptools.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mavfer.errors import MissingExtra, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = [
    "LANDMARK_MODEL_NAME",
    "LANDMARK_MODEL_SHA256",
    "LandmarkModelFile",
    "find_landmark_model",
]

LANDMARK_MODEL_NAME: Final = "shape_predictor_68_face_landmarks.dat"
LANDMARK_MODEL_SHA256: Final = "fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f"
"""Hash of the file that PyPI's and Debian's packages both carry."""

_FOLDER_VARIABLE: Final = "MAVFER_DLIB_MODELS"
_DEBIAN_FOLDER: Final = Path("/usr/share/dlib")
_LICENCE_NOTE: Final = (
    "the 68-point landmark model was trained on iBUG 300-W, whose owners exclude commercial use"
)


@dataclass(frozen=True)
class LandmarkModelFile:
    """The landmark model that will be used, and what a user must know about it."""

    path: Path
    """The file, as dlib wants it."""
    licence_note: str = _LICENCE_NOTE
    """One sentence to show once a run."""


def find_landmark_model(explicit: Path | None = None) -> LandmarkModelFile:
    """The 68-point landmark model on this machine.

    Looked for in this order: `explicit`, the environment variable MAVFER_DLIB_MODELS, the package
    face_recognition_models, Debian's /usr/share/dlib.

    Args:
        explicit: The file, or a folder that holds it; nothing else is then looked at.

    Raises:
        NotFound: `explicit` or the environment variable names a place without the model.
        MissingExtra: No installed package brings the model.
    """
    asked = explicit or _environment_path()
    if asked is not None:
        path = asked / LANDMARK_MODEL_NAME if asked.is_dir() else asked
        if path.is_file():
            return LandmarkModelFile(path)
        message = (
            f"{path}: no landmark model there. Name the file {LANDMARK_MODEL_NAME} or its folder "
            f"with --landmarks or {_FOLDER_VARIABLE}"
        )
        raise NotFound(message)
    for folder in _installed_folders():
        if (folder / LANDMARK_MODEL_NAME).is_file():
            return LandmarkModelFile(folder / LANDMARK_MODEL_NAME)
    message = (
        "the 68-point landmark model is not installed. Run: pip install 'mavfer[models]' "
        "(or, on Debian: apt install libdlib-data)"
    )
    raise MissingExtra(message)


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
