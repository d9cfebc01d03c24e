"""Faces and their 68 landmarks in single gray frames, by dlib.

dlib's detector answers in boxes of whole pixels and its landmark reader in whole pixels too. Both
are wrapped so that the frame is first resampled to a face of a fixed size: the box keeps its
fractions, the rounding shrinks to a fraction of a pixel, and the cost is the same for any camera.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import InvalidArray, InvalidFile, require

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["LANDMARKS", "Box", "Face", "FaceFinder", "LandmarkReader", "box_from_landmarks"]

LANDMARKS: Final = 68

_DETECTION_WIDTH: Final = 640
"""Frames are shrunk to this width: a face of 80 px, the detector's smallest, is then 1/8 of it."""
_ROI_FACE: Final = 110
_ROI_MARGIN: Final = 55
"""Looking near an expected face: 110 px of face with half a face of margin, 220 px in all."""
_READER_FACE: Final = 240
_READER_MARGIN: Final = 60
_CLEAR_SCORE: Final = 0.4
"""Below this a find may be a fold of cloth: it counts after every clearer one, however small."""
_EXPECTED_THRESHOLD: Final = -0.1
"""Finds 99.9 % of natural frames where 0 finds 99.6 %; safe only where a face is expected."""
_CENTRE_OFFSET: Final = np.array([-0.02, -0.11])
_WIDTH_IN_RADII: Final = 2.73
"""The detector's boxes as seen from the landmarks, averaged over real clips (ours)."""


@dataclass(frozen=True)
class Box:
    """A square around a face: from brows to chin, as dlib's detector draws it."""

    x: float
    """Centre, pixels."""
    y: float
    """Centre, pixels."""
    width: float
    """Side, pixels."""

    def to_square(self, side: float, margin: float) -> NDArray[np.float64]:
        """Matrix (2, 3) that brings the box to a square of `side` pixels behind a margin."""
        scale = side / self.width
        middle = margin + (side - 1) / 2
        return np.array([[scale, 0, middle - scale * self.x], [0, scale, middle - scale * self.y]])

    def distance(self, other: Box) -> float:
        """Distance of the centres as a share of this box's width."""
        return float(np.hypot(self.x - other.x, self.y - other.y)) / self.width


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
        _require_gray(gray)
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
        self, gray: NDArray[np.uint8], box: Box, *, threshold: float = _EXPECTED_THRESHOLD
    ) -> Face | None:
        """The face nearest to an expected box; None where the detector sees none there.

        Args:
            gray: uint8 (H, W).
            box: Where a face is expected; it is searched half a width around.
            threshold: Smallest score.
        """
        _require_gray(gray)
        matrix = box.to_square(_ROI_FACE, _ROI_MARGIN)
        roi = _cut_square(gray, matrix, _ROI_FACE + 2 * _ROI_MARGIN)
        scale = 1 / matrix[0, 0]
        back = np.array([[scale, 0, -scale * matrix[0, 2]], [0, scale, -scale * matrix[1, 2]]])
        faces = self._detect(roi, threshold, back)
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
    """dlib's 68 landmarks by an ensemble of regression trees.

    Source: Kazemi and Sullivan 2014, CVPR; the order of the points is that of iBUG 300-W.
    """

    def __init__(self, model: Path) -> None:
        dlib: Any = require("dlib", "preprocess")
        self._predictor = _load_predictor(model)
        last = _READER_MARGIN + _READER_FACE - 1
        self._rectangle = dlib.rectangle(_READER_MARGIN, _READER_MARGIN, last, last)

    def read(self, gray: NDArray[np.uint8], box: Box) -> NDArray[np.float64]:
        """Landmarks (68, 2) in pixels of the frame, for a face in `box`.

        There is always an answer, also where there is no face: whether to believe it is the
        tracker's job.
        """
        matrix = box.to_square(_READER_FACE, _READER_MARGIN)
        roi = _cut_square(gray, matrix, _READER_FACE + 2 * _READER_MARGIN)
        parts = self._predictor(roi, self._rectangle).parts()
        points = np.array([(part.x, part.y) for part in parts], dtype=np.float64)
        landmarks: NDArray[np.float64] = (points - matrix[:, 2]) / matrix[0, 0]
        return landmarks


@cache
def _load_detector() -> Any:
    """Dlib's detector, built once a process."""
    return require("dlib", "preprocess").get_frontal_face_detector()


@cache
def _load_predictor(model: Path) -> Any:
    """Dlib's landmark reader, 100 MB that are read once a process."""
    dlib = require("dlib", "preprocess")
    try:
        return dlib.shape_predictor(str(model))
    except RuntimeError as error:
        message = f"{model}: not a landmark model of dlib, or cut off ({error}). Install it again"
        raise InvalidFile(message) from error


def box_from_landmarks(landmarks: NDArray[np.float64]) -> Box:
    """The box that the detector would draw around landmarks (68, 2)."""
    centre = landmarks.mean(axis=0)
    radius = float(np.sqrt(((landmarks - centre) ** 2).sum(axis=1).mean()))
    x, y = centre + _CENTRE_OFFSET * radius
    return Box(float(x), float(y), _WIDTH_IN_RADII * radius)


def _box_in_frame(rectangle: Any, to_frame: NDArray[np.float64]) -> Box:
    """A rectangle of dlib, whose edges are inclusive, in the pixels of the frame."""
    scale = to_frame[0, 0]
    x = (rectangle.left() + rectangle.right()) / 2
    y = (rectangle.top() + rectangle.bottom()) / 2
    return Box(scale * x + to_frame[0, 2], scale * y + to_frame[1, 2], scale * rectangle.width())


def _cut_square(
    gray: NDArray[np.uint8], matrix: NDArray[np.float64], side: int
) -> NDArray[np.uint8]:
    """The square (side, side) of a frame that `matrix` describes; the frame's rim is repeated."""
    cv2 = require("cv2", "preprocess")
    square: NDArray[np.uint8] = cv2.warpAffine(
        gray, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return square


def _require_gray(gray: NDArray[np.uint8]) -> None:
    """Raises InvalidArray unless `gray` is a frame of bytes without channels."""
    if gray.ndim != 2 or gray.dtype != np.uint8:  # noqa: PLR2004 (height, width)
        message = f"gray frame: needs uint8 (H, W), got {gray.dtype} {gray.shape}"
        raise InvalidArray(message)
