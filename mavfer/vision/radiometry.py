"""From a thermal camera's counts to temperature: the formulas that session.json can name.

They live here, below `preprocess` and within reach of `recording`: cameras say which formula holds
and with which constants, preprocessing applies it. Which camera speaks which is told in
`recording.radiometry`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeAlias

import numpy as np

from mavfer.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import ArrayLike, NDArray

__all__ = [
    "UNCALIBRATED",
    "Formula",
    "Linear",
    "Planck",
    "PlanckR1R2",
    "Surface",
    "describe",
    "formula_of",
]

UNCALIBRATED: Final = "uncalibrated"
"""The name of no formula: counts that mean no temperature."""


@dataclass(frozen=True)
class Linear:
    """kelvin = kelvin_per_count * counts + offset_kelvin: the camera did the arithmetic."""

    name: ClassVar[str] = "linear"

    kelvin_per_count: float
    """Kelvin of one count, above 0."""
    offset_kelvin: float = 0.0
    """Kelvin at count 0."""

    def kelvin(self, counts: ArrayLike) -> NDArray[np.float64]:
        """Temperature of counts."""
        return self.kelvin_per_count * np.asarray(counts, np.float64) + self.offset_kelvin

    def counts(self, kelvin: ArrayLike) -> NDArray[np.float64]:
        """Counts of temperatures, not rounded."""
        return (np.asarray(kelvin, np.float64) - self.offset_kelvin) / self.kelvin_per_count


@dataclass(frozen=True)
class Planck:
    """kelvin = b / ln(r / (counts - o) + f): Planck's law over the sensor's band, fitted.

    `counts - o` is proportional to the radiation that arrives, so radiation is added in counts.
    Source: the four constants R, B, F, O that FLIR's Ax5 cameras give; the form is recalled, not
    checked against the maker's document.
    """

    name: ClassVar[str] = "planck"

    planck_r: float
    """Counts: the height of the curve."""
    planck_b: float
    """Kelvin: Planck's second constant over the mean wavelength, about 14388 um K / 10 um."""
    planck_f: float
    """Without a unit, about 1: 1 is Planck's law at one wavelength."""
    planck_o: float
    """Counts that the sensor gives without radiation."""

    def kelvin(self, counts: ArrayLike) -> NDArray[np.float64]:
        """Temperature of counts; NaN at and below `planck_o`, and where the curve has no value."""
        signal = np.asarray(counts, np.float64) - self.planck_o
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            kelvin = self.planck_b / np.log(self.planck_r / signal + self.planck_f)
        return np.where((signal > 0) & (kelvin > 0) & np.isfinite(kelvin), kelvin, np.nan)

    def counts(self, kelvin: ArrayLike) -> NDArray[np.float64]:
        """Counts of temperatures, not rounded; NaN where the curve does not reach."""
        warm = np.asarray(kelvin, np.float64)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            room = np.exp(self.planck_b / warm) - self.planck_f
            counts = self.planck_r / room + self.planck_o
        return np.where((warm > 0) & (room > 0), counts, np.nan)


@dataclass(frozen=True)
class PlanckR1R2:
    """kelvin = b / ln(r1 / (r2 * (counts + o)) + f): the same law as FLIR's files write it.

    The height is split into two constants, and the sign of the offset differs from `Planck`.
    Source: read in flirpy (`raw2temp`) and Thermimage, which took it from FLIR's metadata.
    """

    name: ClassVar[str] = "planck_r1_r2"

    planck_r1: float
    """Height of the curve, before it is divided by `planck_r2`."""
    planck_r2: float
    """Gain that the height is divided by."""
    planck_b: float
    """Kelvin, as in `Planck`."""
    planck_f: float
    """Without a unit, as in `Planck`."""
    planck_o: float
    """Counts that are added; the negative of the offset in `Planck`."""

    def kelvin(self, counts: ArrayLike) -> NDArray[np.float64]:
        """Temperature of counts; NaN where the curve has no value."""
        return self._as_planck().kelvin(counts)

    def counts(self, kelvin: ArrayLike) -> NDArray[np.float64]:
        """Counts of temperatures, not rounded; NaN where the curve does not reach."""
        return self._as_planck().counts(kelvin)

    def _as_planck(self) -> Planck:
        height = self.planck_r1 / self.planck_r2
        return Planck(height, self.planck_b, self.planck_f, -self.planck_o)


@dataclass(frozen=True)
class Surface:
    """Temperature of a surface that also mirrors its surroundings.

    Of what arrives, `emissivity` comes from the surface and the rest from what it reflects:
    counts = emissivity * counts(surface) + (1 - emissivity) * counts(reflected), offsets apart.
    The air between is left out (ours: at a metre it takes less than a hundredth).
    """

    formula: Planck | PlanckR1R2
    """Of a black body."""
    emissivity: float
    """Above 0, at most 1; skin has about 0.98."""
    reflected_kelvin: float
    """Temperature of what is reflected: the room's."""

    def kelvin(self, counts: ArrayLike) -> NDArray[np.float64]:
        """Temperature of the surface; NaN where the formula has none."""
        reflected = self.formula.counts(self.reflected_kelvin)
        above = np.asarray(counts, np.float64) - reflected
        return self.formula.kelvin(reflected + above / self.emissivity)

    def counts(self, kelvin: ArrayLike) -> NDArray[np.float64]:
        """Counts that such a surface gives, not rounded."""
        reflected = self.formula.counts(self.reflected_kelvin)
        above: NDArray[np.float64] = self.formula.counts(kelvin) - reflected
        return reflected + self.emissivity * above


Formula: TypeAlias = Linear | Planck | PlanckR1R2 | Surface
"""A way from counts to kelvin, and back."""

_FORMULAS: Final[dict[str, type[Linear | Planck | PlanckR1R2]]] = {
    kind.name: kind for kind in (Linear, Planck, PlanckR1R2)
}
_BESIDE: Final = ("formula", "source", "emissivity", "reflected_kelvin")
"""What `radiometry` holds that is no constant of a formula."""


def formula_of(radiometry: Mapping[str, Any]) -> Formula:
    """The formula that a session's `radiometry` names, with its constants.

    >>> round(float(formula_of({"formula": "linear", "kelvin_per_count": 0.01}).kelvin(30715)), 2)
    307.15

    Raises:
        DataError: The counts mean no temperature, or the formula or a constant is unknown.
    """
    name = radiometry["formula"]
    if name == UNCALIBRATED:
        message = (
            "thermal counts mean no temperature: this camera has no formula (uncalibrated). "
            "Measure a black body and put formula and constants into session.json, "
            "streams.thermal.radiometry"
        )
        raise DataError(message)
    if name not in _FORMULAS:
        message = f"unknown radiometry {name!r}; known: {', '.join(_FORMULAS)}, {UNCALIBRATED}"
        raise DataError(message)
    constants = {key: value for key, value in radiometry.items() if key not in _BESIDE}
    try:
        formula = _FORMULAS[name](**constants)
        return _seen_on_surface(formula, radiometry) if "emissivity" in radiometry else formula
    except (KeyError, TypeError) as error:
        given = ", ".join(key for key in radiometry if key not in {"formula", "source"})
        message = (
            f"radiometry {name}: its constants are not {given}. See docs/formats.md, 'session'"
        )
        raise DataError(message) from error


def _seen_on_surface(
    formula: Linear | Planck | PlanckR1R2, radiometry: Mapping[str, Any]
) -> Surface:
    """The formula for a subject with an emissivity; TypeError where the camera has done that."""
    if isinstance(formula, Linear):
        raise TypeError(formula.name)
    return Surface(formula, radiometry["emissivity"], radiometry["reflected_kelvin"])


def describe(formula: Formula, source: str = "") -> dict[str, Any]:
    """What session.json says of a formula: `formula_of` backwards.

    Args:
        formula: The formula.
        source: Where formula and constants come from, and how sure that is.
    """
    scene: dict[str, Any] = {}
    if isinstance(formula, Surface):
        scene = {
            "emissivity": formula.emissivity,
            "reflected_kelvin": formula.reflected_kelvin,
        }
        formula = formula.formula
    told = {"source": source} if source else {}
    return {"formula": formula.name, **asdict(formula), **scene, **told}
