"""calibration/<name>.json: where the cameras stand and how they draw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mavfer.errors import InvalidArray, NotFound
from mavfer.files import read_json, sha256_of_document, write_json
from mavfer.schema import require_valid
from mavfer.vision.geometry import Calibration

if TYPE_CHECKING:
    from mavfer.study.study import Study

__all__ = ["read_calibration", "write_calibration"]


def read_calibration(study: Study, name: str | None, *, session: str) -> Calibration:
    """The cameras under `name`, as the session `session` needs them.

    Raises:
        NotFound: The session names none, or its file is not there.
        InvalidFile: The file is torn or against its schema.
        InvalidArray: A matrix in it cannot be a camera's.
    """
    if name is None:
        message = f"session {session}: names no calibration, so depth and thermal cannot be placed"
        raise NotFound(message)
    path = study.calibration_path(name)
    if not path.is_file():
        message = f"{path}: missing; session {session} needs it. Copy it from where it was recorded"
        raise NotFound(message)
    document = read_json(path)
    require_valid(document, "calibration", path)
    try:
        return Calibration.from_document(document)
    except InvalidArray as error:
        message = f"{path}: {error}"
        raise InvalidArray(message) from error


def write_calibration(study: Study, document: dict[str, Any]) -> str:
    """Writes a calibration where the study has none of the same content, and gives its name.

    A file of the same name that says something else stays; the new one gets a longer name.

    Raises:
        InvalidFile: The document is against its schema.
    """
    name = str(document["name"])
    path = study.calibration_path(name)
    require_valid(document, "calibration", path)
    if path.is_file() and _content_sha256(read_json(path)) != _content_sha256(document):
        name = f"{name}-{_content_sha256(document)[:8]}"
        path = study.calibration_path(name)
    if not path.is_file():
        write_json(path, {**document, "name": name})
    return name


def _content_sha256(document: dict[str, Any]) -> str:
    """Hash of what was measured, whatever its name and the day it was written."""
    return sha256_of_document({key: document[key] for key in ("method", "cameras", "error_px")})
