"""GenICam features of a camera by name: reading one or all, setting one and checking that it holds.

The `device` of every function is an `Aravis.Device`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from mavfer.errors import DeviceError
from recording.gige.aravis import device_errors, load_aravis

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Feature", "read_all_features", "read_feature", "read_number", "write_feature"]

Feature = bool | int | float | str
"""What a feature can hold; an enumeration holds the name of its entry."""

_RELATIVE_TOLERANCE: Final = 1e-3
"""A camera rounds what it is told, for example a rate to whole microseconds."""


def read_feature(device: Any, name: str) -> Feature | None:
    """The value of a feature; None where the camera has none of that name or does not tell it."""
    node = device.get_feature(name)
    return None if node is None else _read_node(device, node, name)


def read_number(device: Any, name: str) -> float | None:
    """The value of a feature that is a number; None where it is not there or no number."""
    value = read_feature(device, name)
    return None if value is None or isinstance(value, str) else float(value)


def read_all_features(device: Any) -> dict[str, Feature]:
    """Every feature that the camera shows and that can be read, in the camera's own order."""
    values = {}
    for name in _feature_names(device, "Root", set()):
        value = read_feature(device, name)
        if value is not None:
            values[name] = value
    return values


def write_feature(device: Any, name: str, value: Feature) -> None:
    """Sets a feature, and reads it back.

    Raises:
        DeviceError: The camera has no such feature, does not allow the value or did not take it.
    """
    node = device.get_feature(name)
    if node is None:
        raise DeviceError(f"the camera has no feature {name}. Leave it out of the rig's features")
    way_out = f"{_allowed(device, node, name)}Correct {name} = {value!r} in the rig's features"
    with device_errors(f"feature {name} cannot be set to {value!r}", way_out):
        _write_node(device, node, name, value)
    taken = read_feature(device, name)
    if not _is_same(value, taken):
        message = f"feature {name} was set to {value!r} but the camera says {taken!r}. {way_out}"
        raise DeviceError(message)


def _feature_names(device: Any, name: str, seen: set[str]) -> Iterator[str]:
    """The names of the features below a category, each once."""
    aravis = load_aravis()
    node = device.get_feature(name)
    if node is None or name in seen:
        return
    seen.add(name)
    if isinstance(node, aravis.GcCategory):
        for child in node.get_features():
            yield from _feature_names(device, child, seen)
    elif node.get_visibility() != aravis.GcVisibility.INVISIBLE:
        yield name


def _read_node(device: Any, node: Any, name: str) -> Feature | None:
    """The value of a node; None for commands, registers and what cannot be read now."""
    try:
        with device_errors(name, ""):
            if not node.is_available():
                return None
            value = _value_of(device, node, name)
    except DeviceError:
        return None
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _value_of(device: Any, node: Any, name: str) -> Feature | None:
    aravis = load_aravis()
    if isinstance(node, aravis.GcBoolean):
        return bool(device.get_boolean_feature_value(name))
    if isinstance(node, aravis.GcEnumeration | aravis.GcString):
        return str(device.get_string_feature_value(name))
    if isinstance(node, aravis.GcFloat):  # before integers: a converter can be either
        return float(device.get_float_feature_value(name))
    if isinstance(node, aravis.GcInteger):
        return int(device.get_integer_feature_value(name))
    return None


def _write_node(device: Any, node: Any, name: str, value: Feature) -> None:
    """Writes a value as what the node holds, and runs a command."""
    aravis = load_aravis()
    if isinstance(node, aravis.GcCommand):
        device.execute_command(name)
    elif isinstance(node, aravis.GcBoolean):
        device.set_boolean_feature_value(name, bool(value))
    elif isinstance(value, str):
        device.set_string_feature_value(name, value)
    elif isinstance(node, aravis.GcFloat):
        device.set_float_feature_value(name, float(value))
    else:
        device.set_integer_feature_value(name, int(value))


def _allowed(device: Any, node: Any, name: str) -> str:
    """A sentence that lists an enumeration's entries; empty for other features."""
    if not isinstance(node, load_aravis().GcEnumeration):
        return ""
    try:
        with device_errors(name, ""):
            entries = device.dup_available_enumeration_feature_values_as_strings(name)
    except DeviceError:
        return ""
    return f"Allowed: {', '.join(entries)}. "


def _is_same(wanted: Feature, taken: Feature | None) -> bool:
    """Whether the camera took a value; True for what cannot be read back, such as commands."""
    if taken is None or wanted == taken:
        return True
    if isinstance(wanted, str) or isinstance(taken, str):
        return False
    return math.isclose(wanted, taken, rel_tol=_RELATIVE_TOLERANCE)
