"""Opening HDF5 files with clear errors, and describing them so that a schema can check them."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import h5py
import hdf5plugin  # noqa: F401 (registers the filters)
import numpy as np

from mavfer.errors import InvalidFile, NotFound
from mavfer.schema import require_valid

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["describe", "open_hdf5", "reading_hdf5", "require_valid_hdf5"]

_DOCUMENTS: Final = "documents/"

_STUMBLES: Final = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
)
"""What h5py and numpy raise over damaged tables: sizes, types and names may be anything there."""


@contextmanager
def open_hdf5(path: Path, *, swmr: bool = False) -> Iterator[h5py.File]:
    """The HDF5 file at `path`, open for reading.

    Args:
        path: The file.
        swmr: Open a file that a writer in SWMR mode has open, or was killed while it had it open.

    Raises:
        NotFound: There is no such file.
        InvalidFile: It is not HDF5, or cut off.
    """
    if not path.is_file():
        message = f"{path}: no such file"
        raise NotFound(message)
    try:
        file = h5py.File(path, "r", swmr=swmr)
    except (OSError, RuntimeError) as error:
        message = f"{path}: cannot be opened as HDF5; it is torn or cut off ({error})"
        raise InvalidFile(message) from error
    with file:
        yield file


@contextmanager
def reading_hdf5(path: Path) -> Iterator[h5py.File]:
    """The same for a block that does nothing but read: what it stumbles over is told as damage.

    Raises:
        NotFound: There is no such file.
        InvalidFile: It is not HDF5, cut off, or its tables are damaged.
    """
    with open_hdf5(path) as file:
        try:
            yield file
        except _STUMBLES as error:
            reason = " ".join(str(error).split())
            message = f"{path}: torn or damaged inside ({reason}). Restore it from a copy"
            raise InvalidFile(message) from error


def describe(file: h5py.File) -> dict[str, Any]:
    """Attributes and datasets of an open file, as the document that its schema describes.

    A dataset below `/documents` is one string that holds JSON of any length (an attribute holds at
    most 64 KiB); its description has the key "json" with the document.
    """
    members: dict[str, Any] = {}

    def visit(name: str, item: h5py.Group | h5py.Dataset) -> None:
        if isinstance(item, h5py.Dataset):
            members[f"/{name}"] = {
                "dtype": _dtype_name(item.dtype),
                "shape": list(item.shape),
                "attributes": _attributes(item),
            }
            if name.startswith(_DOCUMENTS):
                members[f"/{name}"] |= {"dtype": "text", "json": _document(item)}

    file.visititems(visit)
    return {"attributes": _attributes(file), "members": members}


def require_valid_hdf5(file: h5py.File, name: str, path: Path) -> dict[str, Any]:
    """The description of `file`, after checking it against the schema `name`.

    Raises:
        WrongVersion, InvalidFile: It does not fit.
    """
    document = describe(file)
    require_valid(document, name, path)
    return document


def _dtype_name(dtype: np.dtype[Any]) -> str | dict[str, Any]:
    """Name of a numpy type; an object of them for a compound type."""
    if dtype.names is not None:
        return {field: _dtype_name(dtype[field]) for field in dtype.names}
    return f"S{dtype.itemsize}" if dtype.kind == "S" else dtype.name


def _document(item: h5py.Dataset) -> Any:
    """The JSON in a text dataset; the text itself where it is no JSON."""
    return _plain("document_json", item[()])


def _attributes(item: h5py.File | h5py.Group | h5py.Dataset) -> dict[str, Any]:
    """Attributes as plain values; those whose name ends in _json are read as the JSON they hold."""
    return {key: _plain(key, value) for key, value in item.attrs.items()}


def _plain(key: str, value: Any) -> Any:
    if isinstance(value, bytes):
        value = value.decode()
    if key.endswith("_json"):
        try:
            return json.loads(value)
        except (TypeError, ValueError):
            return value
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    return value
