"""How a camera's stamps follow each other, which tells whether its clock can have been set.

A steady camera exposes on a grid: at whole numbers of frames, one or two of them late. Where its
clock is set the grid of its stamps moves for good, by as much as the delays change. A frame that
arrives late moves no grid, and one that is exposed late comes back to it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Spacings", "classify_spacings"]

_RETURN_FRAMES: Final = 3
_IRREGULAR: Final = 0.125
"""Share of the period by which stamps may jitter before their spacing tells nothing."""
_ALIKE_NS: Final = 1e6
_STRANGE_NS: Final = 1e9
_TIMES_JITTER: Final = 8.0
_LEAST_JITTER: Final = 1e-4
"""Share of the period that no camera keeps better, each frame of a gap adding its own."""
_GRID_FRAMES: Final = 16
"""Frames on either side that place a grid; over more of them the camera itself may drift."""


@dataclass(frozen=True)
class Spacings:
    """How each stamp follows the one before; arrays (T,), the first frame follows nothing."""

    device_ns: NDArray[np.int64]
    """The stamps."""
    is_odd: NDArray[np.bool_]
    """By a time that is no whole number of frames."""
    is_single: NDArray[np.bool_]
    """By the time of one frame."""
    is_impossible: NDArray[np.bool_]
    """By a time that goes back, and what such a jump returns from or to: no exposure's."""
    is_interrupted: NDArray[np.bool_]
    """After a second or more without arrivals."""
    excess_ns: NDArray[np.float64]
    """By how much more than the time of one frame."""
    period_ns: float
    """Time of one frame; 0 where the stamps are too irregular."""
    tolerance_ns: float
    """How far from its grid a steady camera's stamp may be."""
    alike_ns: float
    """A step as delays tell it and as the grid tells it agree to within this."""

    def grid_shifts_ns(
        self, frames: NDArray[np.int64], reach: int = _GRID_FRAMES
    ) -> NDArray[np.float64]:
        """By how much (N,) the grid moves before each of some frames, at most half a period.

        Args:
            frames: int64 (N,), at least 1 each.
            reach: Frames on either side that tell the grid.
        """
        beside = np.arange(min(reach, _GRID_FRAMES))
        last = len(self.device_ns) - 1
        before = self._grid_ns(frames - 1, np.maximum(frames[:, None] - 1 - beside, 0))
        after = self._grid_ns(frames, np.minimum(frames[:, None] + beside, last))
        apart = self.device_ns[frames] - self.device_ns[frames - 1] + after - before
        return self._off_grid_ns(apart)

    def moved_grids(self) -> NDArray[np.int64]:
        """Frames (N,) before which a steady camera's grid moved."""
        odd = np.flatnonzero(self.is_odd)
        if self.period_ns == 0:
            return odd[:0]
        moved: NDArray[np.int64] = odd[np.abs(self.grid_shifts_ns(odd)) > self.tolerance_ns]
        return moved

    def is_regular(self, frame: int, step_ns: float) -> bool:
        """True where a steady camera's stamps show that there is no such step before a frame.

        They follow each other by whole frames, and the step is none, or it is no larger than what
        the stamps jitter by. A camera that was away for long may have begun anew.
        """
        if self.period_ns == 0 or self.is_interrupted[frame]:
            return False
        is_whole = not self.is_odd[frame] and abs(step_ns) < self.period_ns / 2
        return is_whole or abs(step_ns) <= self.tolerance_ns

    def may_step(self, frame: int, step_ns: float) -> bool:
        """True where a steady camera's clock can have been set by this much before a frame.

        The grid moves by the step, less a whole number of frames. A shortest delay that changes,
        for example as another camera comes onto the bus, moves none.

        Args:
            frame: The first frame after the step.
            step_ns: How much later the stamps are than without it.
        """
        if self.period_ns == 0 or self.is_interrupted[frame] or abs(step_ns) > _STRANGE_NS:
            return True
        if self.is_regular(frame, step_ns):
            return False
        # Where frames beside it are exposed late, the one spacing may tell it better than the grid.
        told_ns = np.append(self.grid_shifts_ns(np.array([frame])), self.excess_ns[frame])
        return bool(self.are_alike(np.array([step_ns]), told_ns).any())

    def are_alike(
        self, steps_ns: NDArray[np.float64], shifts_ns: NDArray[np.float64], doubt_ns: float = 0.0
    ) -> NDArray[np.bool_]:
        """True (N,) where steps, known to within `doubt_ns`, move the grid by these shifts."""
        apart_ns = np.abs(self._off_grid_ns(steps_ns - shifts_ns))
        alike: NDArray[np.bool_] = apart_ns < max(self.alike_ns, doubt_ns)
        return alike

    def may_be_wrong(self) -> NDArray[np.bool_]:
        """True (T,) for frames whose stamps alone are off: the next spacing takes it back."""
        following = np.append(self.excess_ns[1:], np.inf)
        is_taken_back: NDArray[np.bool_] = np.abs(self.excess_ns + following) < self.alike_ns
        return self.is_odd & is_taken_back

    def _grid_ns(self, frames: NDArray[np.int64], beside: NDArray[np.int64]) -> NDArray[np.float64]:
        """Where (N,) the grid of frames (N, M) beside each lies, against that frame's stamp."""
        apart = self.device_ns[beside] - self.device_ns[frames][:, None]
        grid: NDArray[np.float64] = np.median(self._off_grid_ns(apart), axis=1)
        return grid

    def _off_grid_ns(
        self, apart_ns: NDArray[np.int64] | NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """What times have beyond the nearest whole number of frames."""
        off: NDArray[np.float64] = apart_ns - np.rint(apart_ns / self.period_ns) * self.period_ns
        return off


def classify_spacings(
    device_ns: NDArray[np.int64], host_ns: NDArray[np.int64], resolution_ns: float
) -> Spacings:
    """Which stamps follow the one before as a steady camera's would.

    Stamps that go back are odd, and those that return after one; of a steady camera also those that
    no number of frames explains. A stamp that repeats the one before is not: it is the same
    exposure again.
    """
    spacing = np.diff(device_ns).astype(np.float64)
    period, tolerance = _period_and_tolerance(spacing[spacing > 0], resolution_ns)
    is_steady = period > 0 and tolerance <= _IRREGULAR * period
    frames = np.maximum(np.rint(spacing / max(period, 1.0)), 1)
    is_whole = np.abs(spacing - frames * period) <= tolerance + _LEAST_JITTER * frames * period
    is_back = spacing < 0
    returns = np.append(False, is_back[:-1]) & (spacing > (_RETURN_FRAMES + 1) * period)
    is_odd = is_back | returns
    if is_steady:
        is_odd |= (spacing != 0) & ~is_whole
    alike = max(tolerance, _ALIKE_NS)
    is_taken_back = np.abs(spacing[:-1] + spacing[1:] - 2 * period) < alike
    ahead_of_back = np.append(is_back[1:] & is_taken_back, False)
    return Spacings(
        device_ns=device_ns,
        is_odd=np.append(False, is_odd),
        is_single=np.append(False, is_steady & is_whole & (frames == 1)),
        is_impossible=np.append(False, is_back | returns | (is_odd & ahead_of_back)),
        is_interrupted=np.append(False, np.diff(host_ns) > _STRANGE_NS),
        excess_ns=np.append(0.0, spacing - period),
        period_ns=period if is_steady else 0.0,
        tolerance_ns=tolerance,
        alike_ns=alike,
    )


def _period_and_tolerance(
    ahead_ns: NDArray[np.float64], resolution_ns: float
) -> tuple[float, float]:
    """Time of one frame, and how far usual stamps may be from it; 0 where no stamp goes on.

    Stamps that count in steps are 33 or 34 apart: only their mean keeps to the grid.
    """
    if ahead_ns.size == 0:
        return 0.0, 0.0
    median = float(np.median(ahead_ns))
    jitter = float(np.median(np.abs(ahead_ns - median)))
    tolerance = max(_TIMES_JITTER * jitter, 3.0 * resolution_ns, _LEAST_JITTER * median)
    is_usual = np.abs(ahead_ns - median) <= tolerance
    return float(ahead_ns[is_usual].mean()), tolerance
