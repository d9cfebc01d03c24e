"""The telemetry of a FLIR Lepton: rows of words that come with each picture, instead of pixels.

Words are 16 bits; of two-word numbers the low word comes first. The bits of the status, row C, and
that the frame counter only counts new frames: read in FLIR's datasheet 500-0659-00-09 rev. 203.
Places in rows A and B, and the order of words: read in flirpy, tCam and the PureThermal firmware.
Rows A, B, C of 80 words stand in three rows of a picture 80 wide (Lepton 2.x) and, joined in pairs,
in two rows of a picture 160 wide (Lepton 3.x).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Telemetry", "TelemetryPlace", "parse_telemetry", "telemetry_rows"]

TelemetryPlace = Literal["bottom", "top"]

_ROWS_OF_SIZE: Final = {(160, 122): 2, (80, 63): 3}
"""Rows of telemetry in a picture of this width and height."""

_ROW_B: Final = 80
_ROW_C: Final = 160
_FFC_IN_PROGRESS: Final = 2
_KELVIN_AT_ZERO_CELSIUS: Final = 273.15
_PLAUSIBLE_CENTIKELVIN: Final = range(22_000, 39_000)
"""A focal plane that works has -53 to 117 degrees Celsius (ours, wider than any datasheet)."""
_LARGEST_SWITCH: Final = 2
_UNIT_EMISSIVITY: Final = 8192
"""Recalled, not checked against the maker's document."""


@dataclass(frozen=True)
class Telemetry:
    """What a Lepton says of one picture."""

    revision: str
    """Format of the telemetry."""
    uptime_ms: int
    """Camera's clock: milliseconds since it was switched on, at this frame."""
    module_serial: str
    """Serial number of the Lepton itself, hexadecimal."""
    is_shutter_closed: bool
    """A flat field correction is in progress: the pixels are not of the scene."""
    frame_counter: int
    """Counts exposures; sent again with an exposure that is sent again."""
    sensor_celsius: float
    """Of the focal plane."""
    housing_celsius: float
    last_ffc_ms: int
    """`uptime_ms` at the last flat field correction."""
    emissivity: float
    """That the camera reckons with."""
    gain_mode: int
    """0 high, 1 low, 2 automatic."""
    is_tlinear: bool
    """Counts are proportional to kelvin."""
    is_fine: bool
    """TLinear: 0.01 K a count, else 0.1 K."""


def telemetry_rows(width: int, height: int) -> int:
    """How many rows of a picture of this size are a Lepton's telemetry; 0 for other sizes."""
    return _ROWS_OF_SIZE.get((width, height), 0)


def parse_telemetry(rows: NDArray[np.uint16]) -> Telemetry | None:
    """What the rows say; None where they hold no telemetry, but pixels.

    Args:
        rows: uint16 (2, 160) or (3, 80), as they stand in the picture.
    """
    words = [int(word) for word in rows.reshape(-1)]
    if not _are_plausible(words):
        return None
    status = _two_words(words, 3)
    return Telemetry(
        revision=f"{words[0] >> 8}.{words[0] & 0xFF}",
        uptime_ms=_two_words(words, 1),
        module_serial="".join(f"{word:04x}" for word in words[5:13]),
        is_shutter_closed=(status >> 4) & 3 == _FFC_IN_PROGRESS,
        frame_counter=_two_words(words, 20),
        sensor_celsius=_celsius(words[24]),
        housing_celsius=_celsius(words[26]),
        last_ffc_ms=_two_words(words, 30),
        emissivity=words[_ROW_B + 19] / _UNIT_EMISSIVITY,
        gain_mode=words[_ROW_C + 5],
        is_tlinear=bool(words[_ROW_C + 48]),
        is_fine=bool(words[_ROW_C + 49]),
    )


def _are_plausible(words: list[int]) -> bool:
    """Whether words can be telemetry; the counts of a scene at room temperature cannot.

    Such counts look like centikelvin, for they are: it is the switches that tell.
    """
    temperatures = (words[24], words[26])
    switches = (words[_ROW_C + 5], words[_ROW_C + 48], words[_ROW_C + 49])
    are_switches = all(word <= _LARGEST_SWITCH for word in switches)
    return are_switches and all(word in _PLAUSIBLE_CENTIKELVIN for word in temperatures)


def _two_words(words: list[int], first: int) -> int:
    return words[first] | words[first + 1] << 16


def _celsius(centikelvin: int) -> float:
    return round(centikelvin / 100 - _KELVIN_AT_ZERO_CELSIUS, 2)
