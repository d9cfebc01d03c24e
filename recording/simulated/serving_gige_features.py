"""What a GigE camera made of software says of itself: Aravis's description with an Ax5's features.

The names and values are those of `recording.gige.flir`, with its sources and doubts.
"""

from __future__ import annotations

from typing import Final

__all__ = [
    "FORMATS",
    "REGISTERS",
    "address_of",
    "describe_ax5",
]

FORMATS: Final = {"Mono16": 0x01100007, "Mono14": 0x01100025, "Mono14p": 0x010E0104}
"""Pixel formats that the camera offers, by the standard's numbers."""

_OURS: Final = 0xE000
"""The part of the memory of Aravis's camera that it leaves alone."""

_FEATURES: Final[dict[str, tuple[str, ...] | str]] = {
    "TemperatureLinearMode": ("Off", "On"),
    "TemperatureLinearResolution": ("Low", "High"),
    "CMOSBitDepth": ("bit14bit", "bit8bit"),
    "NUCMode": ("Manual", "Automatic"),
    "SensorGainMode": ("HighGainMode", "LowGainMode"),
    "R": "float",
    "B": "float",
    "F": "float",
    "O": "float",
    "ObjectEmissivity": "float",
    "DeviceTemperature": "float",
    "NUCActive": "integer",
    "NUCAction": "command",
}
"""What an Ax5 offers beyond the standard: enumerations by their entries, others by their kind."""

_READ_ONLY: Final = ("R", "B", "F", "O", "DeviceTemperature", "NUCActive")

REGISTERS: Final[dict[str, int | float]] = {
    **{name: 0 for name, kind in _FEATURES.items() if kind != "float"},
    "CMOSBitDepth": 1,
    "NUCMode": 1,
    "R": 366545.0,
    "B": 1428.0,
    "F": 1.0,
    "O": -342.0,
    "ObjectEmissivity": 0.95,
    "DeviceTemperature": 31.5,
}
"""The features' values when the camera is switched on."""


def address_of(name: str) -> int:
    """The register of one of our features."""
    return _OURS + 4 * list(_FEATURES).index(name)


def describe_ax5(description: str) -> str:
    """Aravis's GenICam description with our features and pixel formats added."""
    entries = "".join(_entry(name, code) for name, code in FORMATS.items() if name != "Mono16")
    names = "".join(f"<pFeature>{name}</pFeature>" for name in _FEATURES)
    category = f'<Category Name="ThermalControl">{names}</Category>'
    nodes = "".join(_feature(name, kind) for name, kind in _FEATURES.items())
    listed = "<pFeature>ThermalControl</pFeature><pFeature>Debug<"
    for place, text in {
        "<pValue>PixelFormatRegister": f"{entries}<pValue>PixelFormatRegister",
        "<pFeature>Debug<": listed,
        "</RegisterDescription>": f"{category}{nodes}</RegisterDescription>",
    }.items():
        description = description.replace(place, text)
    return description


def _entry(name: str, value: int) -> str:
    return f'<EnumEntry Name="{name}"><Value>{value}</Value></EnumEntry>'


def _feature(name: str, kind: tuple[str, ...] | str) -> str:
    """A feature that lives in a register of the camera."""
    tag = "FloatReg" if kind == "float" else "IntReg"
    mode = "RO" if name in _READ_ONLY else "RW"
    sign = "" if kind == "float" else "<Sign>Unsigned</Sign>"
    return (
        f'{_node(name, kind)}<{tag} Name="{name}Register"><Address>{address_of(name)}</Address>'
        f"<Length>4</Length><AccessMode>{mode}</AccessMode><pPort>Device</pPort>{sign}"
        f"<Endianess>BigEndian</Endianess></{tag}>"
    )


def _node(name: str, kind: tuple[str, ...] | str) -> str:
    pointer = f"<pValue>{name}Register</pValue>"
    if not isinstance(kind, str):
        entries = "".join(_entry(entry, number) for number, entry in enumerate(kind))
        return f'<Enumeration Name="{name}">{entries}{pointer}</Enumeration>'
    tag, rest = {
        "float": ("Float", ""),
        "integer": ("Integer", ""),
        "command": ("Command", "<CommandValue>1</CommandValue>"),
    }[kind]
    return f'<{tag} Name="{name}">{pointer}{rest}</{tag}>'
