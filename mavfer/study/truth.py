"""truth.h5: what is true of a simulated take, for audits, tests, the demo and simulated raters."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np

from mavfer.errors import InvalidFile
from mavfer.files import replacing
from mavfer.schema import load_schema
from mavfer.study.hdf5 import open_hdf5, require_valid_hdf5

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from mavfer.study.session import Session

__all__ = ["Truth", "latent_at_frames", "read_truth", "write_truth"]


@dataclass(frozen=True)
class Truth:
    """What is true of one simulated take."""

    session: str
    settings: dict[str, Any]
    """Seeds, noise, clocks and lighting of the rig."""
    calibration: dict[str, Any]
    """The true calibration, a document of that format."""
    members: dict[str, NDArray[Any]]
    """Arrays by the paths that the schema `truth` lists, for example "/latent/arousal"."""


def write_truth(
    path: Path,
    truth: object,
    *,
    session: str,
    settings: Mapping[str, Any],
    calibration: Mapping[str, Any],
) -> None:
    """Writes truth.h5; all of it or nothing.

    Args:
        path: Where.
        truth: Arrays by the names of the schema, nested as its paths are: a dataclass or mapping
            with `latent`, `color` and so on, each a dataclass or mapping of arrays.
        session: The session's id.
        settings: What the rig was asked for.
        calibration: The true calibration.

    Raises:
        InvalidFile: An array is missing or has another number of axes.
    """
    wanted = load_schema("truth")["properties"]["members"]["properties"]
    with replacing(path) as part:
        with h5py.File(part, "w", libver=("earliest", "v110")) as file:
            file.attrs.update({"format": "mavfer.truth", "version": 1, "session": session})
            file.attrs["settings_json"] = json.dumps(settings)
            file.attrs["calibration_json"] = json.dumps(calibration)
            for name, array in _flattened(truth):
                if name in wanted:
                    dtype = np.dtype(wanted[name]["properties"]["dtype"]["const"])
                    file.create_dataset(name, data=np.asarray(array, dtype))
        with open_hdf5(part) as file:
            require_valid_hdf5(file, "truth", path)


def read_truth(path: Path) -> Truth:
    """What is true of a simulated take.

    Raises:
        NotFound: There is no such file; only simulated sessions have one.
        InvalidFile: It is torn or against its schema.
    """
    with open_hdf5(path) as file:
        document = require_valid_hdf5(file, "truth", path)
        head = document["attributes"]
        return Truth(
            session=head["session"],
            settings=head["settings_json"],
            calibration=head["calibration_json"],
            members={name: file[name][()] for name in document["members"]},
        )


def latent_at_frames(take: Session, dimension: str) -> NDArray[np.float64]:
    """What was true of a simulated take when each color frame was exposed (T,), -1 to 1.

    Raises:
        NotFound: The take has no truth.
        InvalidFile: Its truth does not know the dimension, or is not of the take's frames.
    """
    members = read_truth(take.truth_path).members
    if f"/latent/{dimension}" not in members:
        message = f"{take.truth_path}: knows no {dimension}"
        raise InvalidFile(message)
    numbers, known = take.times("color")["frame_number"], members["/color/frame_number"]
    row = np.minimum(np.searchsorted(known, numbers), len(known) - 1)
    if not np.array_equal(known[row], numbers):
        message = f"{take.truth_path}: its frames are not those of the take. Record it again"
        raise InvalidFile(message)
    shown_ns, latent_ns = members["/color/true_ns"][row], members["/latent/time_ns"]
    origin = int(latent_ns[0])  # nanoseconds since boot would lose digits as floats
    values = members[f"/latent/{dimension}"]
    return np.asarray(np.interp(shown_ns - origin, latent_ns - origin, values), np.float64)


def _flattened(item: object, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """The arrays in a nest of dataclasses and mappings, with their paths."""
    if is_dataclass(item):
        item = {field.name: getattr(item, field.name) for field in fields(item)}
    if not isinstance(item, Mapping):
        yield prefix, item
        return
    for name, value in item.items():
        yield from _flattened(value, f"{prefix}/{name}")
