"""What FLIR's GigE cameras do with temperature: which features say it, and what one count means.

Ax5 (A35, A65) has TemperatureLinearMode and TemperatureLinearResolution: with mode On a count is
0.04 K (High) or 0.4 K (Low), in Mono14 with CMOSBitDepth bit14bit (read: FLIR's note "Temperature
linear mode" as public programs quote it). A-series (A50, A70, A320, A615) has IRFormat:
TemperatureLinear10mK or TemperatureLinear100mK, a count being 0.01 K or 0.1 K, or Radiometric (read
in public programs that drive them). Without temperature linear mode a count is a signal, and R, B,
F with O (Ax5) or with J0 and J1 (A-series: the signal is J0 + J1 times the radiance) make a
temperature of it; that is recalled, not checked against the maker's document. None of this was
checked on a camera.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from mavfer.errors import DeviceError
from mavfer.vision.radiometry import UNCALIBRATED, Linear, PlanckR1R2, describe
from recording.gige.genicam import read_feature, read_number, write_feature
from recording.radiometry import ax5_linear, ax5_signal_linear

if TYPE_CHECKING:
    from recording.gige.genicam import Feature

__all__ = [
    "TemperatureLinear",
    "read_radiometry",
    "set_temperature_linear",
]

TemperatureLinear = Literal["high", "low", "off"]
"""Steps of 0.04 K or 0.01 K, steps of 0.4 K or 0.1 K, or a signal instead of a temperature."""

_AX5: Final[dict[TemperatureLinear, tuple[tuple[str, Feature], ...]]] = {
    "high": (("TemperatureLinearMode", "On"), ("TemperatureLinearResolution", "High")),
    "low": (("TemperatureLinearMode", "On"), ("TemperatureLinearResolution", "Low")),
    "off": (("TemperatureLinearMode", "Off"),),
}
_A_SERIES: Final[dict[TemperatureLinear, tuple[tuple[str, Feature], ...]]] = {
    "high": (("IRFormat", "TemperatureLinear10mK"),),
    "low": (("IRFormat", "TemperatureLinear100mK"),),
    "off": (("IRFormat", "Radiometric"),),
}
_RESOLUTIONS: Final[dict[str, Literal["high", "low"]]] = {"High": "high", "Low": "low"}
_A_SERIES_KELVIN: Final = {"TemperatureLinear10mK": 0.01, "TemperatureLinear100mK": 0.1}

_AX5_BIT_DEPTH: Final = ("CMOSBitDepth", "bit14bit")
_ON: Final = ("On", "true", True, 1)
"""How cameras spell that a mode is on: an enumeration in most, a boolean in others."""


def set_temperature_linear(device: Any, wanted: TemperatureLinear | None) -> None:
    """Makes counts temperatures (or a signal), in the way that the camera knows.

    Args:
        device: An `Aravis.Device`.
        wanted: None for fine steps where the camera can, and else as it stands.

    Raises:
        DeviceError: It was wanted, and the camera has no feature for it or did not take it.
    """
    steps = _steps(device, wanted or "high")
    if not steps and wanted is not None:
        known = "neither TemperatureLinearMode nor IRFormat"
        message = f"the camera has {known}. Leave temperature_linear out"
        raise DeviceError(message)
    for name, value in steps:
        write_feature(device, name, value)


def _steps(device: Any, wanted: TemperatureLinear) -> tuple[tuple[str, Feature], ...]:
    """The features to set, in order; none where the camera has no temperatures."""
    if read_feature(device, "TemperatureLinearMode") is not None:
        depth = (_AX5_BIT_DEPTH,) if read_feature(device, _AX5_BIT_DEPTH[0]) is not None else ()
        return (*depth, *_AX5[wanted])
    return _A_SERIES[wanted] if read_feature(device, "IRFormat") is not None else ()


def read_radiometry(device: Any) -> dict[str, Any]:
    """Formula and constants from counts to kelvin, as session.json keeps them."""
    resolution = _RESOLUTIONS.get(str(read_feature(device, "TemperatureLinearResolution")))
    ir_format = str(read_feature(device, "IRFormat"))
    if read_feature(device, "TemperatureLinearMode") in _ON and resolution is not None:
        return ax5_linear(resolution)
    if ir_format in _A_SERIES_KELVIN:
        return describe(Linear(_A_SERIES_KELVIN[ir_format]), f"FLIR A-series, {ir_format}: read")
    return _signal_radiometry(device)


def _signal_radiometry(device: Any) -> dict[str, Any]:
    """What a signal means by the constants that the camera tells; uncalibrated without them."""
    r, b, f, o = (read_number(device, name) for name in ("R", "B", "F", "O"))
    j0, j1 = (read_number(device, name) for name in ("J0", "J1"))
    if r is None or b is None or f is None:
        return {"formula": UNCALIBRATED, "source": "the camera tells no constants R, B, F: read"}
    if o is not None:
        return ax5_signal_linear(r, b, f, o, **_scene(device))
    if j0 is not None and j1:
        source = "FLIR A-series, R B F J0 J1 of the camera: recalled"
        return describe(PlanckR1R2(r, 1 / j1, b, f, -j0), source)
    return {"formula": UNCALIBRATED, "source": "the camera tells no constant O, J0 or J1: read"}


def _scene(device: Any) -> dict[str, float]:
    """Emissivity and reflected temperature where the camera tells both, in its standard units."""
    emissivity = read_number(device, "ObjectEmissivity")
    reflected_kelvin = read_number(device, "ReflectedTemperature")
    if emissivity is None or reflected_kelvin is None:
        return {}
    return {"emissivity": emissivity, "reflected_kelvin": reflected_kelvin}
