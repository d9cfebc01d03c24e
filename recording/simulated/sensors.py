"""What the three sensors make of a perfect image: noise, blur, holes, shutter.

Each sensor's read-out is a pure function of the exposure's number, so that frames may be read,
skipped or repeated in any order.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np
from scipy.ndimage import gaussian_filter

from mavfer.errors import require
from recording.simulated.clocks import NS_PER_SECOND
from recording.simulated.subjects import seed_from

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import NDArray

    from recording.simulated.clocks import Schedule
    from recording.simulated.lighting import Lighting
    from recording.simulated.render import Renderer
    from recording.simulated.shutter import Shutter

__all__ = ["NOISE", "ColorSensor", "DepthSensor", "Sensor", "ThermalSensor"]

NOISE: Final[dict[str, dict[str, float]]] = {
    "color": {
        "white_lit": 2.0,
        "white_dark": 10.0,
        "shot_variance_per_level": 0.12,
        "blotches_dark": 6.0,
        "blotch_pixels": 5.0,
        "blotch_seconds": 0.6,
    },
    "depth": {
        "baseline_mm": 50.0,
        "disparity_pixels": 0.08,
        "white_share": 0.35,
        "correlated_share": 0.94,
        "correlated_pixels": 2.0,
        "steps_per_pixel": 32.0,
        "edge_mm": 25.0,
    },
    "thermal": {
        "blur_pixels": 0.8,
        "netd_celsius": 0.05,
        "fixed_pattern_celsius": 0.03,
        "column_celsius": 0.04,
        "shutter_offset_celsius": 0.1,
        "shutter_pattern_change": 0.3,
    },
}
"""Every number of the three noise models; grey levels for color."""

_COLOR_BANK_MARGIN: Final = 1 << 18
_BANK_MARGIN: Final = 48
_BLOTCH_BANK_MARGIN: Final = 256
"""Banks of noise are so much larger than a frame, which reads them from a random place."""
_BLUR_STEP_PIXELS: Final = 0.75
_MOST_BLUR_STEPS: Final = 4
_COMMON_BLOTCHES: Final = 0.9
"""Share of the blotches' amplitude that the three channels have in common."""
_ZERO_CELSIUS_KELVIN: Final = 273.15
_COUNTS_PER_KELVIN: Final = 100


class Sensor(Protocol):
    """Turns exposures into pixels."""

    def read_out(self, exposure: int) -> NDArray[np.uint8] | NDArray[np.uint16]:
        """The pixels of an exposure of the schedule."""
        ...


class ColorSensor:
    """RGB with motion blur, white and shot noise, and slow blotches in the dark."""

    def __init__(
        self, renderer: Renderer, schedule: Schedule, lighting: Lighting, seed: int
    ) -> None:
        self._renderer = renderer
        self._schedule = schedule
        self._lighting = lighting
        self._seed = seed
        self._kernels = _load_kernels()
        camera = renderer.camera
        rng = np.random.default_rng(seed_from("color bank", seed))
        length = camera.height * camera.width * 3 + _COLOR_BANK_MARGIN
        self._bank = _as_bank(
            rng.standard_normal(length, dtype=np.float32), self._kernels.BANK_SCALE
        )
        shape = camera.height + _BLOTCH_BANK_MARGIN, camera.width + _BLOTCH_BANK_MARGIN
        self._blotch_bank = _unit_blur(
            rng.standard_normal(shape, dtype=np.float32), NOISE["color"]["blotch_pixels"]
        )
        self._blotches: dict[int, NDArray[np.int8]] = {}

    def read_out(self, exposure: int) -> NDArray[np.uint8]:
        """RGB (H, W, 3)."""
        middle = float(self._schedule.true_ns[exposure]) / NS_PER_SECOND
        lasting = float(self._schedule.exposure_ns[exposure]) / NS_PER_SECOND
        image = self._blurred(middle, lasting)
        flat = image.reshape(-1)
        rng = np.random.default_rng([self._seed, exposure])
        begin = int(rng.integers(_COLOR_BANK_MARGIN + 1))
        noise = self._bank[begin : begin + len(flat)]
        darkness = self._lighting.darkness(middle)
        gain, variance = self._lighting.gain(middle, lasting), _variance(darkness)
        if darkness == 0:
            self._kernels.add_noise(flat, gain, variance, noise)
        else:
            patterns = self._blotches_at(middle, darkness)
            self._kernels.add_blotches(flat, gain, variance, noise, *patterns)
        return image

    def _blurred(self, middle: float, lasting: float) -> NDArray[np.uint8]:
        """The mean over the exposure, in as many steps as the head's motion asks for."""
        start = middle - lasting / 2
        moved = self._renderer.motion_pixels(start, start + lasting)
        steps = min(1 + int(moved / _BLUR_STEP_PIXELS), _MOST_BLUR_STEPS)
        if steps == 1:
            return self._renderer.color(middle)
        times = start + (np.arange(steps) + 0.5) / steps * lasting
        total = np.sum([self._renderer.color(float(time)) for time in times], axis=0, dtype=int)
        return np.asarray((total + steps // 2) // steps, np.uint8)

    def _blotches_at(
        self, seconds: float, darkness: float
    ) -> tuple[NDArray[np.int8], NDArray[np.int8], NDArray[np.float32]]:
        """The two patterns that are faded into each other, and the grey levels of each."""
        block, share = divmod(seconds / NOISE["color"]["blotch_seconds"], 1)
        angle = share * math.pi / 2  # keeps the variance
        amplitude = NOISE["color"]["blotches_dark"] * darkness
        levels = np.array([math.cos(angle), math.sin(angle)], np.float32) * np.float32(amplitude)
        return self._pattern(int(block)), self._pattern(int(block) + 1), levels

    def _pattern(self, block: int) -> NDArray[np.int8]:
        """Blotches (H*W*3,) of a stretch of time; those of its neighbours are kept."""
        if block not in self._blotches:
            kept = {k: v for k, v in self._blotches.items() if abs(k - block) <= 1}
            drawn = self._draw_pattern(np.random.default_rng([self._seed, block, 1]))
            self._blotches = {**kept, block: _as_bank(drawn, self._kernels.BANK_SCALE)}
        return self._blotches[block]

    def _draw_pattern(self, rng: np.random.Generator) -> NDArray[np.float32]:
        """Slow noise (H*W*3,) of unit variance, mostly the same in the three channels."""
        height, width = self._renderer.camera.height, self._renderer.camera.width
        rows, columns = rng.integers(0, _BLOTCH_BANK_MARGIN + 1, (2, 4))
        planes = [
            self._blotch_bank[row : row + height, column : column + width]
            for row, column in zip(rows, columns, strict=True)
        ]
        own = np.float32(math.sqrt(1 - _COMMON_BLOTCHES**2))
        common = np.float32(_COMMON_BLOTCHES) * planes[0]
        return np.stack([common + own * plane for plane in planes[1:]], axis=-1).reshape(-1)


class DepthSensor:
    """Stereo depth: noise in the disparity, rounding, shadows and holes at edges."""

    def __init__(
        self, renderer: Renderer, schedule: Schedule, mm_per_count: float, seed: int
    ) -> None:
        self._renderer = renderer
        self._schedule = schedule
        self._mm_per_count = mm_per_count
        self._seed = seed
        self._kernels = _load_kernels()
        camera, model = renderer.camera, NOISE["depth"]
        self._focal_baseline = float(camera.matrix[0, 0]) * model["baseline_mm"]
        shape = camera.height + _BANK_MARGIN, camera.width + _BANK_MARGIN
        rng = np.random.default_rng(seed_from("depth bank", seed))
        white = rng.standard_normal(shape, dtype=np.float32)
        correlated = _unit_blur(
            rng.standard_normal(shape, dtype=np.float32), model["correlated_pixels"]
        )
        mixed = model["white_share"] * white + model["correlated_share"] * correlated
        self._noise = (model["disparity_pixels"] * mixed).astype(np.float32)

    def read_out(self, exposure: int) -> NDArray[np.uint16]:
        """Depth counts (H, W); 0 is no depth."""
        true_mm = self._renderer.depth(float(self._schedule.true_ns[exposure]) / NS_PER_SECOND)
        rng = np.random.default_rng([self._seed, exposure])
        row, column = rng.integers(0, _BANK_MARGIN + 1, 2)
        height, width = true_mm.shape
        counts = np.empty(true_mm.shape, np.uint16)
        self._kernels.measure_depth(
            true_mm, self._focal_baseline,
            self._noise[row : row + height, column : column + width],
            NOISE["depth"]["steps_per_pixel"], NOISE["depth"]["edge_mm"], 1 / self._mm_per_count,
            counts,
        )  # fmt: skip
        return counts


class ThermalSensor:
    """Centikelvin with blur, noise, fixed pattern, and a shutter that resets both offsets."""

    def __init__(self, renderer: Renderer, schedule: Schedule, shutter: Shutter, seed: int) -> None:
        self._renderer = renderer
        self._schedule = schedule
        self._shutter = shutter
        self._seed = seed
        self._cv2: Any = require("cv2", "record")
        camera = renderer.camera
        shape = camera.height + _BANK_MARGIN, camera.width + _BANK_MARGIN
        rng = np.random.default_rng(seed_from("thermal bank", seed))
        self._bank = rng.standard_normal(shape, dtype=np.float32)
        self._bank *= np.float32(NOISE["thermal"]["netd_celsius"])
        self._pattern_epoch = -1
        self._pattern = np.zeros((camera.height, camera.width), np.float32)

    def read_out(self, exposure: int) -> NDArray[np.uint16]:
        """Centikelvin (H, W); while the shutter is closed, the frame before it closed."""
        shown = self._shutter.shown_exposure(exposure)
        celsius = self._renderer.celsius(float(self._schedule.true_ns[shown]) / NS_PER_SECOND)
        celsius = self._cv2.GaussianBlur(celsius, None, NOISE["thermal"]["blur_pixels"])
        rng = np.random.default_rng([self._seed, shown])
        row, column = rng.integers(0, _BANK_MARGIN + 1, 2)
        height, width = celsius.shape
        celsius += self._bank[row : row + height, column : column + width]
        celsius += self._offsets(self._shutter.epoch(shown))
        counts = (celsius + _ZERO_CELSIUS_KELVIN) * _COUNTS_PER_KELVIN
        return np.asarray(np.round(counts), np.uint16)

    def _offsets(self, epoch: int) -> NDArray[np.float32]:
        """Fixed pattern and offset (H, W) after so many closings of the shutter."""
        if epoch != self._pattern_epoch:
            change = NOISE["thermal"]["shutter_pattern_change"] if epoch else 0.0
            first, own = self._draw_pattern(0), self._draw_pattern(epoch)
            mixed = math.sqrt(1 - change**2) * first + change * own
            rng = np.random.default_rng([self._seed, epoch, 2])
            largest = NOISE["thermal"]["shutter_offset_celsius"]
            self._pattern = (mixed + rng.uniform(-largest, largest)).astype(np.float32)
            self._pattern_epoch = epoch
        return self._pattern

    def _draw_pattern(self, epoch: int) -> NDArray[np.float64]:
        """Degrees (H, W) of single pixels and whole columns."""
        height, width = self._pattern.shape
        rng = np.random.default_rng([self._seed, epoch, 3])
        pixels = NOISE["thermal"]["fixed_pattern_celsius"] * rng.standard_normal((height, width))
        return pixels + NOISE["thermal"]["column_celsius"] * rng.standard_normal(width)


def _variance(darkness: float) -> NDArray[np.float32]:
    """Variance (2,) of the color noise: read noise, and the shot noise that a grey level adds."""
    model = NOISE["color"]
    white = model["white_lit"] + (model["white_dark"] - model["white_lit"]) * darkness
    return np.array([white**2, model["shot_variance_per_level"]], np.float32)


def _unit_blur(noise: NDArray[np.float32], sigma: float) -> NDArray[np.float32]:
    """Noise smoothed with a Gaussian, brought back to unit variance."""
    smooth = gaussian_filter(noise, sigma, mode="wrap")
    return np.asarray(smooth / smooth.std(), np.float32)


def _as_bank(noise: NDArray[np.float32], scale: int) -> NDArray[np.int8]:
    """Noise of unit variance as small integers, cut at four standard deviations."""
    return np.clip(np.round(noise * scale), -127, 127).astype(np.int8)


def _load_kernels() -> ModuleType:
    """The compiled inner loops, or how to install what they need."""
    require("numba", "preprocess")
    from recording.simulated import noise

    return noise
