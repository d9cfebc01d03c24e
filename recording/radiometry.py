"""What the counts of each family of thermal cameras mean, for `CameraInfo.radiometry`.

Every function gives the `radiometry` of session.json, with where it comes from and how sure that
is: "read" in a public document or program, "recalled" where nobody has looked it up. Formulas are
those of `mavfer.vision.radiometry`. A lab checks with a black body once; nothing here can.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from mavfer.errors import CommandError
from mavfer.vision.radiometry import (
    UNCALIBRATED,
    Linear,
    Planck,
    PlanckR1R2,
    Surface,
    describe,
    formula_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "NAMED",
    "ax5_linear",
    "ax5_signal_linear",
    "boson_raw",
    "boson_tlinear",
    "flir_planck",
    "lepton_raw",
    "lepton_tlinear",
    "radiometry_of",
    "tau2_linear",
]

Resolution = Literal["high", "low"]

_LEPTON_KELVIN_PER_RAW_COUNT: Final = 0.025
_LEPTON_RAW_COUNT_OF_ITSELF: Final = 8192
"""The count at which a scene is as warm as the camera: half of 14 bits."""


def ax5_linear(resolution: Resolution = "high") -> dict[str, Any]:
    """FLIR Ax5 and A65 with TemperatureLinearMode on: 0.04 K a count, or 0.4 K.

    Holds for Mono14 with CMOSBitDepth bit14bit. Read: a note of FLIR's quoted in public programs.
    """
    step = {"high": 0.04, "low": 0.4}[resolution]
    return describe(Linear(step), f"FLIR Ax5, TemperatureLinear {resolution}: read")


def ax5_signal_linear(
    r: float,
    b: float,
    f: float,
    o: float,
    *,
    emissivity: float | None = None,
    reflected_kelvin: float = 293.15,
) -> dict[str, Any]:
    """FLIR Ax5 and A65 with TemperatureLinearMode off: kelvin = b / ln(r / (counts - o) + f).

    Recalled, not checked against the maker's document.

    Args:
        r: Node R of the camera.
        b: Node B.
        f: Node F.
        o: Node O.
        emissivity: Of the subject, about 0.98 for skin; None takes it for a black body.
        reflected_kelvin: Temperature of the room that the subject mirrors.
    """
    black = Planck(r, b, f, o)
    seen = black if emissivity is None else Surface(black, emissivity, reflected_kelvin)
    return describe(seen, "FLIR Ax5, R B F O of the camera: recalled")


def flir_planck(r1: float, r2: float, b: float, f: float, o: float) -> dict[str, Any]:
    """FLIR's files and Duo Pro: kelvin = b / ln(r1 / (r2 * (counts + o)) + f).

    Read in flirpy and Thermimage.
    """
    return describe(PlanckR1R2(r1, r2, b, f, o), "FLIR R1 R2 B F O of the file: read")


def lepton_tlinear(resolution: Resolution = "high") -> dict[str, Any]:
    """Lepton 2.5 and 3.5 with TLinear on: 0.01 K a count, or 0.1 K.

    Read: datasheet 500-0659-00-09 rev. 203, telemetry row C, "TLinear resolution". The camera says
    itself within 5 K at 25 degrees Celsius.
    """
    step = {"high": 0.01, "low": 0.1}[resolution]
    return describe(Linear(step), f"Lepton, TLinear {resolution}: read")


def lepton_raw(camera_kelvin: float) -> dict[str, Any]:
    """Lepton without TLinear: about 0.025 K a count around 8192, where it sees its own warmth.

    Read, and rough: good for differences within a frame, not for temperatures; it moves with the
    camera's own temperature, which telemetry tells for each frame.

    Args:
        camera_kelvin: Temperature of the camera at the start of the take.
    """
    step = _LEPTON_KELVIN_PER_RAW_COUNT
    offset = camera_kelvin - step * _LEPTON_RAW_COUNT_OF_ITSELF
    return describe(Linear(step, offset), "Lepton without TLinear: read, rough")


def boson_tlinear(gain: Resolution = "high") -> dict[str, Any]:
    """Radiometric Boson with TLinear on: 0.01 K a count in high gain, 0.1 K in low gain.

    That there is such a mode is read; the steps are recalled.
    """
    step = {"high": 0.01, "low": 0.1}[gain]
    return describe(Linear(step), f"Boson, TLinear, {gain} gain: recalled")


def boson_raw() -> dict[str, Any]:
    """Boson that is not radiometric: its counts mean no temperature."""
    return {"formula": UNCALIBRATED, "source": "Boson without radiometry: read"}


def tau2_linear(resolution: Resolution = "high") -> dict[str, Any]:
    """Tau 2 with TLinear on: 0.04 K a count, or 0.4 K. Recalled."""
    step = {"high": 0.04, "low": 0.4}[resolution]
    return describe(Linear(step), f"Tau 2, TLinear {resolution}: recalled")


NAMED: Final[dict[str, Callable[[], dict[str, Any]]]] = {
    "ax5-linear-high": lambda: ax5_linear("high"),
    "ax5-linear-low": lambda: ax5_linear("low"),
    "boson-raw": boson_raw,
    "boson-tlinear-high": lambda: boson_tlinear("high"),
    "boson-tlinear-low": lambda: boson_tlinear("low"),
    "lepton-tlinear-high": lambda: lepton_tlinear("high"),
    "lepton-tlinear-low": lambda: lepton_tlinear("low"),
    "tau2-linear-high": lambda: tau2_linear("high"),
    "tau2-linear-low": lambda: tau2_linear("low"),
}
"""What needs no constants, by the name that a rig's file gives."""


def radiometry_of(setting: str | Mapping[str, Any]) -> dict[str, Any]:
    """The `radiometry` that a rig's file asks for: a name of `NAMED`, or formula and constants.

    Raises:
        CommandError: There is no such name.
        DataError: The formula or a constant is unknown.
    """
    if not isinstance(setting, str):
        if setting.get("formula") == UNCALIBRATED:
            return dict(setting)
        source = setting.get("source", "given by the rig's file")
        return describe(formula_of({"formula": "", **setting}), source)
    if setting not in NAMED:
        message = f"unknown radiometry {setting!r}; known: {', '.join(NAMED)}"
        raise CommandError(message)
    return NAMED[setting]()
