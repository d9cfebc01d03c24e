"""The three kinds of light, and the exposure that a color camera chooses in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import numpy as np

__all__ = ["LIT_SECONDS", "Lighting", "LightingName"]

LightingName = Literal["bright", "dark", "flicker"]

LIT_SECONDS: Final = 1.5
"""A dark take begins lit for so long, as a laboratory would, so that the face can be found."""
_FADE_SECONDS: Final = 0.2
_DARK_GAIN: Final = 0.03
_FLICKER_HZ: Final = 100.0
_FLICKER_AMPLITUDE: Final = 0.3
_WANDER: Final = 0.08
_WANDER_HZ: Final = 0.11
_EXPOSURE_SECONDS: Final = {"bright": 0.010, "dark": 0.030, "flicker": 0.004}
"""A multiple of 10 ms would average a flicker of 100 Hz away."""
_LONGEST_EXPOSURE: Final = 0.9
"""Of the frame's period; the rest is read-out."""


@dataclass(frozen=True)
class Lighting:
    """Light as a function of seconds after the take's start."""

    name: LightingName
    phase: float
    """Where in its cycle a flicker begins, 0-1."""

    def darkness(self, seconds: float) -> float:
        """How far the light is down: 0 lit, 1 dark."""
        if self.name != "dark":
            return 0.0
        share = min(max((seconds - LIT_SECONDS) / _FADE_SECONDS, 0.0), 1.0)
        return share * share * (3 - 2 * share)

    def exposure_seconds(self, seconds: float, period_seconds: float) -> float:
        """The exposure time of a color frame near `seconds`."""
        name = "bright" if self.name == "dark" and seconds < LIT_SECONDS else self.name
        return min(_EXPOSURE_SECONDS[name], _LONGEST_EXPOSURE * period_seconds)

    def gain(self, seconds: float, exposure_seconds: float) -> float:
        """Mean brightness over an exposure around `seconds`, 1 in bright light."""
        if self.name == "dark":
            return 1 + (_DARK_GAIN - 1) * self.darkness(seconds)
        if self.name == "bright":
            return 1.0
        kept = float(np.sinc(_FLICKER_HZ * exposure_seconds))
        flicker = np.sin(2 * np.pi * (_FLICKER_HZ * seconds + self.phase))
        wander = np.sin(2 * np.pi * (_WANDER_HZ * seconds + 3 * self.phase))
        return float(1 + _FLICKER_AMPLITUDE * kept * flicker + _WANDER * wander)
