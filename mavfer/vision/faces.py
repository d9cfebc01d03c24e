"""Faces and their landmarks in single gray frames, by dlib.

dlib's detector answers in boxes of whole pixels and its landmark reader in whole pixels too. Both
are wrapped so that the frame is first resampled to a face of a fixed size: the box keeps its
fractions, the rounding shrinks to a fraction of a pixel, and the cost is the same for any camera.
Where the head's tilt is known the face is also brought upright, as both have learnt faces.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import InvalidArray, InvalidFile, require
from mavfer.vision.geometry import apply_matrix, estimate_similarity, invert_matrix
from mavfer.vision.landmarks import (
    FIVE_POINTS,
    LANDMARKS,
    Box,
    box_from_landmarks,
    known_points,
)
from mavfer.vision.mean_face import MEAN_FACE

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["READER_FACE", "READER_SIDE", "Face", "FaceFinder", "LandmarkReader", "require_gray"]

READER_FACE: Final = 200
"""Side of the face's box, in pixels, in the square from which landmarks are read: large enough that
whole pixels are fine, small enough that the square stays in the processor's cache."""
_READER_MARGIN: Final = 40
READER_SIDE: Final = READER_FACE + 2 * _READER_MARGIN

_DETECTION_WIDTH: Final = 640
"""Frames are shrunk to this width: a face of 80 px, the detector's smallest, is then 1/8 of it."""
_ROI_FACE: Final = 110
_ROI_MARGIN: Final = 55
"""Looking near an expected face: 110 px of face with half a face of margin, 220 px in all."""
_CLEAR_SCORE: Final = 0.4
"""Below this a find may be a fold of cloth: it counts after every clearer one, however small."""
_EXPECTED_THRESHOLD: Final = -0.1
"""Finds 99.9 % of natural frames where 0 finds 99.6 %; safe only where a face is expected."""


@dataclass(frozen=True)
class Face:
    """A face that the detector found."""

    box: Box
    score: float
    """The detector's confidence: clear faces about 1 to 2, turned or dim ones below 0.5."""

    @property
    def is_clear(self) -> bool:
        """True where the score leaves little doubt that this is a face."""
        return self.score >= _CLEAR_SCORE


class FaceFinder:
    """dlib's frontal face detector: histograms of gradients, one scale, gray frames.

    Source: Dalal and Triggs 2005, CVPR, in the implementation of King 2009, JMLR 10, 1755-1758.
    """

    def __init__(self, detection_width: int = _DETECTION_WIDTH) -> None:
        self._detector = _load_detector()
        self._detection_width = detection_width

    def find(self, gray: NDArray[np.uint8], *, threshold: float = 0.0) -> list[Face]:
        """Faces in the whole frame: clear ones before doubtful ones, then the widest first.

        Args:
            gray: uint8 (H, W).
            threshold: Smallest score; below 0 finds more faces and more that are none.

        Raises:
            InvalidArray: `gray` is not a gray frame.
        """
        require_gray(gray)
        scale = min(1.0, self._detection_width / gray.shape[1])
        small = gray
        if scale < 1:
            cv2 = require("cv2", "preprocess")
            small = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        # Pixel centres are at integers, so shrinking moves them by half a pixel.
        shift = (1 / scale - 1) / 2
        return self._detect(
            small, threshold, np.array([[1 / scale, 0, shift], [0, 1 / scale, shift]])
        )

    def find_near(
        self,
        gray: NDArray[np.uint8],
        box: Box,
        *,
        turn_degrees: float = 0.0,
        threshold: float = _EXPECTED_THRESHOLD,
    ) -> Face | None:
        """The face nearest to an expected box; None where the detector sees none there.

        Args:
            gray: uint8 (H, W).
            box: Where a face is expected; it is searched half a width around.
            turn_degrees: Tilt of the head, positive clockwise; it is looked at upright.
            threshold: Smallest score.
        """
        require_gray(gray)
        matrix = _upright(box.to_square(_ROI_FACE, _ROI_MARGIN), box, turn_degrees)
        roi = _cut_square(gray, matrix, _ROI_FACE + 2 * _ROI_MARGIN)
        faces = self._detect(roi, threshold, invert_matrix(matrix))
        return min(faces, key=lambda face: box.distance(face.box), default=None)

    def _detect(
        self, image: NDArray[np.uint8], threshold: float, to_frame: NDArray[np.float64]
    ) -> list[Face]:
        """Faces of an image, in the pixels of the frame it was made from, best first."""
        rectangles, scores, _ = self._detector.run(np.ascontiguousarray(image), 0, threshold)
        faces = [
            Face(_box_in_frame(rectangle, to_frame), float(score))
            for rectangle, score in zip(rectangles, scores, strict=True)
        ]
        return sorted(faces, key=lambda face: (face.is_clear, face.box.width), reverse=True)


class LandmarkReader:
    """dlib's 68 or 5 landmarks by an ensemble of regression trees.

    They are read from an upright square of the frame, in which the face has a fixed size; whoever
    follows a face keeps the square of one frame to compare the next one with.

    Source: Kazemi and Sullivan 2014, CVPR; the order of the 68 points is that of iBUG 300-W.
    """

    def __init__(self, model: Path) -> None:
        self._predictor = _load_predictor(model)
        middle = (READER_SIDE - 1) / 2
        self._middle = Box(middle, middle, READER_FACE)
        flat = MEAN_FACE[:, :2]
        to_square = box_from_landmarks(flat).to_square(READER_FACE, _READER_MARGIN)
        self._mean_face = apply_matrix(to_square, flat)

    def read(self, gray: NDArray[np.uint8], box: Box) -> NDArray[np.float64]:
        """Landmarks (68, 2) in pixels of the frame, for an upright face in `box`.

        There is always an answer, also where there is no face: whether to believe it is the
        tracker's job. Points that the model does not know are NaN.
        """
        matrix = box.to_square(READER_FACE, _READER_MARGIN)
        return apply_matrix(invert_matrix(matrix), self.read_square(self.cut(gray, matrix)))

    def square(self, landmarks: NDArray[np.float64]) -> NDArray[np.float64]:
        """Matrix (2, 3) from the frame to the square in which a face with landmarks is upright."""
        is_known = known_points(landmarks)
        return estimate_similarity(landmarks[is_known], self._mean_face[is_known])

    def cut(self, gray: NDArray[np.uint8], matrix: NDArray[np.float64]) -> NDArray[np.uint8]:
        """The square (READER_SIDE, READER_SIDE) of a frame; the frame's rim is repeated."""
        return _cut_square(gray, matrix, READER_SIDE)

    def read_square(self, square: NDArray[np.uint8], box: Box | None = None) -> NDArray[np.float64]:
        """Landmarks (68, 2) in pixels of a square, for the face in `box`, or in its middle."""
        parts = self._predictor(square, _rectangle(box or self._middle)).parts()
        points = np.array([(part.x, part.y) for part in parts], dtype=np.float64)
        if len(points) == LANDMARKS:
            return points
        landmarks = np.full((LANDMARKS, 2), np.nan)
        landmarks[list(FIVE_POINTS)] = points
        return landmarks


@cache
def _load_detector() -> Any:
    """Dlib's detector, built once a process."""
    return require("dlib", "preprocess").get_frontal_face_detector()


@cache
def _load_predictor(model: Path) -> Any:
    """Dlib's landmark reader, up to 100 MB that are read once a process."""
    dlib = require("dlib", "preprocess")
    try:
        return dlib.shape_predictor(str(model))
    except RuntimeError as error:
        message = f"{model}: not a landmark model of dlib, or cut off ({error}). Install it again"
        raise InvalidFile(message) from error


def _upright(matrix: NDArray[np.float64], box: Box, turn_degrees: float) -> NDArray[np.float64]:
    """A matrix (2, 3) whose result is turned back by `turn_degrees` around the middle of a box."""
    if turn_degrees == 0:
        return matrix
    angle = np.radians(turn_degrees)
    back = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    linear = back @ matrix[:, :2]
    place = np.array([box.x, box.y])
    middle = matrix[:, :2] @ place + matrix[:, 2]
    return np.column_stack([linear, middle - linear @ place])


def _rectangle(box: Box) -> Any:
    """A box as a rectangle of dlib, in whole pixels, whose edges are inclusive."""
    dlib: Any = require("dlib", "preprocess")
    left, top = round(box.x - (box.width - 1) / 2), round(box.y - (box.width - 1) / 2)
    side = round(box.width)
    return dlib.rectangle(left, top, left + side - 1, top + side - 1)


def _box_in_frame(rectangle: Any, to_frame: NDArray[np.float64]) -> Box:
    """A rectangle of dlib, whose edges are inclusive, in the pixels of the frame."""
    middle = (
        (rectangle.left() + rectangle.right()) / 2,
        (rectangle.top() + rectangle.bottom()) / 2,
    )
    x, y = to_frame[:, :2] @ middle + to_frame[:, 2]
    scale = float(np.hypot(*to_frame[:, 0]))
    return Box(float(x), float(y), scale * rectangle.width())


def _cut_square(
    gray: NDArray[np.uint8], matrix: NDArray[np.float64], side: int
) -> NDArray[np.uint8]:
    """The square (side, side) of a frame that `matrix` describes; the frame's rim is repeated."""
    cv2 = require("cv2", "preprocess")
    square: NDArray[np.uint8] = cv2.warpAffine(
        gray, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return square


def require_gray(gray: NDArray[np.uint8]) -> None:
    """Raises InvalidArray unless `gray` is a frame of bytes without channels."""
    if gray.ndim != 2 or gray.dtype != np.uint8:  # noqa: PLR2004 (height, width)
        message = f"gray frame: needs uint8 (H, W), got {gray.dtype} {gray.shape}"
        raise InvalidArray(message)
