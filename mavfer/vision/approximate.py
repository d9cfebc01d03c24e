"""Depth and thermal brought to color without a calibration, approximately.

Where nobody calibrated the cameras, one scale and one shift take color pixels to a stream's pixels.
That holds at one distance only, so it is marked in every pixel's mask and comes with an estimate of
its error. It is found from the face itself: where the landmarks say nose, eyes and chin are, depth
must show a face's relief and thermal a face's pattern of warmth, and beside the face less of it.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from mavfer.errors import InvalidArray, NotAligned, require
from mavfer.vision.geometry import apply_matrix, invert_matrix
from mavfer.vision.mean_face import EYE_DISTANCE_MM, INNER_POINTS, MEAN_FACE
from mavfer.vision.registration import PixelMask

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Placement", "estimate_placement"]

_INNER: Final = list(INNER_POINTS)
_CHIN: Final = [6, 7, 8, 9, 10]
_INWARD: Final = 0.12
"""The chin's points are read this share of the way to the face's middle: on it, not below."""
_BESIDE: Final = [0, 1, 2, 3, 13, 14, 15, 16]
_OUTWARD: Final = 0.25
"""Beside the face is as far beyond the jaw as this share of the way from the middle to it."""

_WARMTH: Final[dict[int, float]] = {
    **dict.fromkeys((30, 31, 32, 33, 34, 35), -90.0),
    **dict.fromkeys((29,), -50.0),
    **dict.fromkeys((39, 42), 70.0),
    **dict.fromkeys(range(17, 27), -40.0),
    **dict.fromkeys((8,), -40.0),
}
"""Centikelvin by which landmarks differ from a face's middle temperature: the nose is cool, the
inner corners of the eyes are warm (rounded from thermograms in the literature, ours)."""

_MIN_FRAMES: Final = 8
_MOST_FRAMES: Final = 60
_COARSE_FRAMES: Final = 6
_FACE_SHARE: Final = (0.07, 0.7)
"""Least and largest width of a face as a share of the frame's."""
_SCALE_STEP: Final = 1.2
_SHIFT_STEPS: Final = 16
_STARTS: Final = 3
_LAST_STEP_PX: Final = 0.1
_WORST_COST: Final = 0.3
"""Of a cost that is 0.5 where there is nothing, and below 0.17 on simulated faces."""
_KEPT_FRAMES: Final = 0.7
"""Share of the frames, the best, that count: in others a hand or nobody is there."""
_SYSTEMATIC_PERCENT: Final[dict[str, float]] = {"depth": 5.0, "thermal": 6.0}
"""What no spread over frames shows, in % of the outer-eye distance: a face that is not the mean
face (measured on simulated subjects, ours)."""
_WORST_PERCENT: Final = 25.0


@dataclass(frozen=True)
class _Pattern:
    """What a stream shows on and beside a face."""

    cap: float
    """Differences above this do not count any more; counts of the stream's unit."""
    least_beside: float
    """What lies beside differs at least this much; positive where the numbers grow outward."""


_PATTERNS: Final = {"depth": _Pattern(20.0, 60.0), "thermal": _Pattern(150.0, -150.0)}


@dataclass(frozen=True)
class Placement:
    """Where color pixels lie in a stream that has no calibration."""

    stream: Literal["depth", "thermal"]
    matrix: NDArray[np.float64]
    """(2, 3) from the color frame's pixels to the stream's: one scale and a shift."""
    error_px: float
    """Distance, in pixels of the color frame, by which a face is likely off (one deviation)."""
    error_eye_percent: float
    """The same in % of the distance of the outer eye corners."""
    frames_used: int
    """Frames on which it rests."""

    def crop(
        self,
        frame: NDArray[np.uint16],
        crop_matrix: NDArray[np.float64],
        shape: tuple[int, int],
    ) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
        """A crop of the stream and its `PixelMask`, MEASURED and APPROXIMATE where it is not 0.

        Depth, along its own camera's axis, is that of the nearest pixel; temperatures are bilinear
        where all four pixels have one.

        Args:
            frame: uint16 (H, W), 0 = none.
            crop_matrix: (2, 3) from the color frame's pixels to the crop's.
            shape: Height and width of the crop.
        """
        cv2: Any = require("cv2", "preprocess")
        to_color = np.concatenate([invert_matrix(crop_matrix), [[0.0, 0, 1]]])
        flags = cv2.INTER_NEAREST if self.stream == "depth" else cv2.INTER_LINEAR
        warp = (self.matrix @ to_color, shape[::-1])
        crop = cv2.warpAffine(frame, *warp, flags=flags | cv2.WARP_INVERSE_MAP)
        if self.stream == "thermal":
            missing = cv2.warpAffine(
                (frame == 0).astype(np.float32),
                *warp,
                flags=flags | cv2.WARP_INVERSE_MAP,
                borderValue=1.0,
            )
            crop[missing > 0] = 0
        mask = np.where(crop > 0, np.uint8(PixelMask.MEASURED | PixelMask.APPROXIMATE), np.uint8(0))
        return crop, mask


def estimate_placement(
    landmarks: NDArray[Any],
    frames: NDArray[np.uint16],
    stream: Literal["depth", "thermal"],
    *,
    mm_per_count: float = 1.0,
) -> Placement:
    """Where color pixels lie in a stream, from the face in many frames of both.

    Args:
        landmarks: (n, 68, 2) pixels of the color frames; rows of NaN are left out.
        frames: uint16 (n, H, W) of the stream at the same times: counts of depth, or centikelvin;
            0 = none.
        stream: Which stream.
        mm_per_count: Millimetres of a count of depth.

    Raises:
        InvalidArray: `landmarks` and `frames` do not belong together.
        NotAligned: Too few frames show a face, or no place fits.
    """
    if frames.ndim != 3 or landmarks.shape != (len(frames), 68, 2):  # noqa: PLR2004 (n, H, W)
        message = (
            f"placement of {stream}: needs landmarks (n, 68, 2) and frames (n, H, W), got "
            f"{landmarks.shape} and {frames.shape}"
        )
        raise InvalidArray(message)
    known = np.flatnonzero(np.isfinite(landmarks).all(axis=(1, 2)))
    if len(known) < _MIN_FRAMES:
        message = (
            f"placement of {stream}: {len(known)} frames with a face, needs {_MIN_FRAMES}. "
            f"Use a longer segment, or calibrate the cameras"
        )
        raise NotAligned(message)
    chosen = known[np.linspace(0, len(known) - 1, min(len(known), _MOST_FRAMES)).astype(int)]
    view = _View(landmarks[chosen].astype(np.float64), frames[chosen], stream, mm_per_count)
    return view.placement()


class _View:
    """One stream's frames, and what they ought to show of the face; places are (scale, x, y)."""

    def __init__(
        self,
        landmarks: NDArray[np.float64],
        frames: NDArray[np.uint16],
        stream: Literal["depth", "thermal"],
        unit: float,
    ) -> None:
        self._stream: Literal["depth", "thermal"] = stream
        self._landmarks, self._frames = landmarks, frames
        self._unit = unit if stream == "depth" else 1.0
        self._on, self._beside = _sample_points(landmarks)
        self._expected = _relief(landmarks) if stream == "depth" else _warmth(len(landmarks))
        self._pattern = _PATTERNS[stream]
        self._middle = landmarks[:, 27:36].mean(axis=(0, 1))

    def placement(self) -> Placement:
        """The best placement, with its error.

        Raises:
            NotAligned: Nowhere does the stream look like a face.
        """
        every = np.arange(len(self._frames))
        place, cost = min(
            (self._refined(start, every) for start in self._starts()), key=lambda found: found[1]
        )
        eyes = np.linalg.norm(self._landmarks[:, 45] - self._landmarks[:, 36], axis=1)
        eye_px = float(np.median(eyes))
        spread_px = self._spread(place, eye_px) / place[0]
        systematic_px = _SYSTEMATIC_PERCENT[self._stream] / 100 * eye_px
        error_px = float(np.hypot(spread_px, systematic_px))
        percent = 100 * error_px / eye_px
        if cost > _WORST_COST or percent > _WORST_PERCENT:
            message = (
                f"placement of {self._stream}: the face of color is not found in it (misfit "
                f"{cost:.2f}, error {percent:.0f} % of the eye distance). Calibrate the cameras"
            )
            raise NotAligned(message)
        return Placement(self._stream, self._matrix(place), error_px, percent, len(self._frames))

    def _matrix(self, place: NDArray[np.float64]) -> NDArray[np.float64]:
        """Matrix (2, 3) of a place: the face's middle in color comes to lie at x, y."""
        scale, x, y = place
        return np.array(
            [[scale, 0, x - scale * self._middle[0]], [0, scale, y - scale * self._middle[1]]]
        )

    def _starts(self) -> list[NDArray[np.float64]]:
        """The best places of a coarse grid over all scales and shifts."""
        height, width = self._frames.shape[1:]
        face_px = float(np.median(np.ptp(self._landmarks[:, :17, 0], axis=1)))
        low, high = (share * width / face_px for share in _FACE_SHARE)
        steps = int(np.log(high / low) / np.log(_SCALE_STEP))
        scales = low * _SCALE_STEP ** np.arange(steps + 1)
        across = (np.arange(_SHIFT_STEPS) + 0.5) / _SHIFT_STEPS
        places = np.array(list(product(scales, across * width, across * height)))
        few = np.linspace(0, len(self._frames) - 1, _COARSE_FRAMES).astype(int)
        costs = np.array([self._cost(place, few) for place in places])
        return [places[index] for index in np.argsort(costs)[:_STARTS]]

    def _refined(
        self, place: NDArray[np.float64], chosen: NDArray[np.intp], *, is_scaled: bool = True
    ) -> tuple[NDArray[np.float64], float]:
        """A place moved to where it costs least, by ever smaller steps, and its cost."""
        step_px = self._frames.shape[2] / _SHIFT_STEPS / 2
        face_px = place[0] * float(np.median(np.ptp(self._landmarks[:, :17, 0], axis=1)))
        moves = [move for move in product((0, -1, 1), repeat=3) if is_scaled or move[0] == 0]
        cost = self._cost(place, chosen)
        while step_px > _LAST_STEP_PX:
            step = np.array([place[0] * step_px / face_px, step_px, step_px])
            tried = [place + step * move for move in moves]
            costs = [self._cost(other, chosen) for other in tried]
            best = int(np.argmin(costs))
            if costs[best] < cost:
                place, cost = tried[best], costs[best]
            else:
                step_px /= 2
        return place, cost

    def _spread(self, place: NDArray[np.float64], eye_px: float) -> float:
        """Robust deviation, in the stream's pixels, of the places that single frames would have."""
        apart = []
        for index in range(len(self._frames)):
            own, _ = self._refined(place, np.array([index]), is_scaled=False)
            apart.append(np.hypot(*(own - place)[1:]))
        # The median of a distance in the plane is 1.18 of the deviation of each coordinate.
        return min(float(np.median(apart)) / 1.18, float(place[0]) * eye_px)

    def _cost(self, place: NDArray[np.float64], chosen: NDArray[np.intp]) -> float:
        """How little the chosen frames look like a face at a place: 0 not at all, to 1."""
        matrix = self._matrix(place)
        on = self._read(apply_matrix(matrix, self._on[chosen].reshape(-1, 2)), chosen)
        beside = self._read(apply_matrix(matrix, self._beside[chosen].reshape(-1, 2)), chosen)
        apart = on - self._expected[chosen]
        is_known = np.isfinite(apart)
        level = _row_medians(apart, is_known)
        cap = self._pattern.cap
        misfit = np.where(is_known, np.minimum(np.abs(apart - level[:, None]), cap), cap) / cap
        return _best_mean(misfit.mean(axis=1) + self._beside_cost(beside, level)) / 2

    def _beside_cost(
        self, beside: NDArray[np.float64], level: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Share (n,) of the points beside the face that are not beyond it."""
        least = self._pattern.least_beside
        # Nothing measured there is nothing that belongs to the face.
        step = np.where(np.isfinite(beside), (beside - level[:, None]) / least, 1.0)
        return np.asarray(1 - np.clip(step, 0, 1).mean(axis=1))

    def _read(self, points: NDArray[np.float64], chosen: NDArray[np.intp]) -> NDArray[np.float64]:
        """Values (m, k) of the chosen frames at points (m * k, 2); NaN where there is none."""
        height, width = self._frames.shape[1:]
        x, y = np.rint(points).astype(np.int64).reshape(len(chosen), -1, 2).transpose(2, 0, 1)
        is_inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        values = self._frames[
            chosen[:, None], np.clip(y, 0, height - 1), np.clip(x, 0, width - 1)
        ].astype(np.float64)
        return np.where(is_inside & (values > 0), values * self._unit, np.nan)


def _sample_points(
    landmarks: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points (n, k, 2) of the color frame on the face, and (n, 8, 2) beside it."""
    middle = landmarks[:, 27:36].mean(axis=1, keepdims=True)
    chin = landmarks[:, _CHIN]
    on = np.concatenate([landmarks[:, _INNER], chin + _INWARD * (middle - chin)], axis=1)
    jaw = landmarks[:, _BESIDE]
    return on, jaw + _OUTWARD * (jaw - middle) * [1.0, 0.0]


def _relief(landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
    """Millimetres (n, k) by which the mean face, turned as each face is, lies behind its origin.

    Seen from far, a picture is two rows of a turn, times a scale; the third is square to both.
    """
    points = _INNER + _CHIN
    mean = MEAN_FACE[points]
    model = np.column_stack([MEAN_FACE[_INNER], np.ones(len(_INNER))])
    found = np.linalg.pinv(model) @ landmarks[:, _INNER]  # (n, 4, 2)
    across, down = found[:, :3, 0], found[:, :3, 1]
    along = np.cross(across, down)
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    return np.asarray(EYE_DISTANCE_MM * along @ mean.T)


def _warmth(count: int) -> NDArray[np.float64]:
    """Centikelvin (n, k) by which the points on a face are warmer than its middle."""
    points = _INNER + _CHIN
    return np.tile([_WARMTH.get(point, 0.0) for point in points], (count, 1))


def _row_medians(values: NDArray[np.float64], is_known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Median (n,) of what is known of each row; 0 where most is not."""
    ordered = np.sort(np.where(is_known, values, np.inf), axis=1)
    counts = is_known.sum(axis=1)
    medians = ordered[np.arange(len(values)), counts // 2 * (counts > 0)]
    return np.where(2 * counts > values.shape[1], medians, 0.0)


def _best_mean(costs: NDArray[np.float64]) -> float:
    """Mean of the frames that cost least."""
    kept = max(int(np.ceil(_KEPT_FRAMES * len(costs))), 1)
    return float(np.mean(np.partition(costs, kept - 1)[:kept]))
