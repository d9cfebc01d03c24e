"""What a run needs to go on after it was killed: checkpoint.pt in its folder.

Written beside and renamed, so that a kill at any moment leaves the one before. It holds tensors,
numbers and texts only, and is read as such: no code in it can run. A finished run has none.

Imports torch; import it where it is used.
"""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any, Final

import torch

from mavfer.errors import CommandError, InvalidFile, NotFound
from mavfer.files import replacing

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["cut_log", "read_checkpoint", "remove_checkpoint", "write_checkpoint"]

_NAME: Final = "checkpoint.pt"
_FORMAT: Final = "mavfer.checkpoint"
_VERSION: Final = 1


def write_checkpoint(folder: Path, state: Mapping[str, Any]) -> None:
    """Writes the state of a run in place of the one before."""
    with replacing(folder / _NAME) as part:
        torch.save({"format": _FORMAT, "version": _VERSION, **state}, part)


def read_checkpoint(folder: Path) -> dict[str, Any]:
    """The state of a run that did not end.

    Raises:
        CommandError: The run ended.
        NotFound: There is no checkpoint.
        InvalidFile: It is torn, or of another version.
    """
    if (folder / "result.json").is_file():
        message = f"{folder}: this run ended. Train a new one with mavfer train"
        raise CommandError(message)
    path = folder / _NAME
    if not path.is_file():
        message = f"{path}: no checkpoint to resume from. Train anew with mavfer train"
        raise NotFound(message)
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, ValueError, pickle.UnpicklingError) as error:
        message = f"{path}: not readable ({error}). Train anew with mavfer train"
        raise InvalidFile(message) from error
    if (state.get("format"), state.get("version")) != (_FORMAT, _VERSION):
        message = f"{path}: not a checkpoint of this version of mavfer. Train anew"
        raise InvalidFile(message)
    return state


def remove_checkpoint(folder: Path) -> None:
    """Deletes the checkpoint of a run that ended."""
    (folder / _NAME).unlink(missing_ok=True)


def cut_log(path: Path, epochs: int) -> None:
    """Leaves the lines of so many epochs in log.jsonl; what a kill tore or repeated goes."""
    lines = path.read_text("utf-8").splitlines(keepends=True) if path.is_file() else []
    with replacing(path) as part:
        part.write_text("".join(lines[:epochs]), encoding="utf-8")
