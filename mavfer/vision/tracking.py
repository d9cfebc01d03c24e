"""One face followed from frame to frame.

A detector on every frame is slow and its boxes jump. Here the face is cut upright and at a fixed
size, from where it was in the frame before; fresh landmarks are fused with optical flow, and the
detector is asked only now and then, and when something looks wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from mavfer.errors import require
from mavfer.vision.faces import READER_FACE, Face, FaceFinder, LandmarkReader
from mavfer.vision.flow import follow_points
from mavfer.vision.geometry import apply_matrix, invert_matrix
from mavfer.vision.landmarks import Box, box_from_landmarks, known_points

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["FaceFollower", "FaceObservation", "FaceTrack", "Source", "State"]

Source = Literal["detected", "tracked"]
State = Literal["TRACK", "DOUBT", "LOST"]

_CONFIRM_EVERY: Final = 15
_CONFIRM_THRESHOLD: Final = -0.3
"""A face is known to have been here a moment ago: turned and dim ones may score this low."""
_POOR_AGREEMENT: Final = 0.04
"""Fresh landmarks and flow this far apart (median, in box widths) call for the detector."""
_QUIET_AGREEMENT: Final = 0.01
"""Closer than this, landmarks of every third frame are enough: flow carries them over the rest, as
exactly and more quietly, at a third of the cost."""
_MOST_MOVED_ALONG: Final = 2
"""Frames in a row in which flow alone carries them."""
_STILL: Final = 0.9
"""A face that looks less like that of the frame before (see `_ALIKE`) is read at once."""
_MIN_CONTRAST: Final = 6.0
_CONTRAST_LOSS: Final = 0.4
"""Light falling below this share of that at the last confirmation calls for the detector."""
_CELLS: Final = 28
_RIM_CELLS: Final = 4
"""The square in cells of 1/20 of the face's width, of which so many on each side are not face."""
_LIGHT_CELLS: Final = 5.0
_ALIKE: Final = 0.6
"""Correlation of what a face looked like a moment ago with what it looks like now: above 0.9 from
frame to frame, below 0.67 in 99 of 100 pairs of different people (the 97 faces of scikit-image's
`lfw_subset` that the detector finds)."""
_STEADY: Final = 0.033
"""Landmarks read from shifted boxes lie this close together (median, in box widths) on all of 300
faces, doubtful ones included; in what is none they are 0.03 to 0.1 apart."""
_SHIFTS: Final = ((0.1, 0.0, 1.0), (-0.1, 0.0, 1.0), (0.0, 0.0, 1.12))
"""Right, down and size of the shifted boxes, in box widths."""


@dataclass(frozen=True)
class FaceObservation:
    """What is known of a face in one frame."""

    landmarks: NDArray[np.float32]
    """(68, 2) x, y in pixels of the frame; NaN at points that the model does not know."""
    box: Box
    """Square around the face."""
    score: float
    """The detector's score when it last saw this face."""
    source: Source
    """"detected": the detector saw the face in this frame; "tracked": followed from the frame
    before."""
    agreement: float
    """Median distance of fresh landmarks and optical flow, when landmarks were last read, in box
    widths: below 0.02 is good; NaN in the first frame of a track."""


@dataclass(frozen=True)
class FaceTrack:
    """What is carried of one face from one frame to the next."""

    number: int
    state: State
    """"TRACK": followed; "DOUBT": the detector did not see it when last asked; "LOST": gone."""
    landmarks: NDArray[np.float64]
    """(68, 2) in the last frame in which it was followed."""
    square: NDArray[np.uint8]
    """The upright square around the face in that frame."""
    matrix: NDArray[np.float64]
    """(2, 3) from that frame to the square."""
    cells: NDArray[np.uint8]
    """The square in that frame, in 28x28 cells."""
    known_cells: NDArray[np.uint8]
    """The same in the last frame in which there was no doubt who this is."""
    score: float
    contrast: float
    """At the last confirmation."""
    agreement: float
    moved_along: int = 0
    """Frames for which landmarks were only moved along since they were last read."""
    unconfirmed_frames: int = 0
    refusals: int = 0
    """Times in a row that the detector did not see the face."""
    lost_frames: int = 0

    @property
    def box(self) -> Box:
        """Square around the face."""
        return box_from_landmarks(self.landmarks)

    @property
    def turn_degrees(self) -> float:
        """Tilt of the head, positive clockwise in the image."""
        return float(np.degrees(np.arctan2(self.matrix[0, 1], self.matrix[0, 0])))

    @property
    def is_quiet(self) -> bool:
        """True where fresh landmarks and the picture's motion hardly differ."""
        return self.agreement < _QUIET_AGREEMENT

    @property
    def is_torn(self) -> bool:
        """True where fresh landmarks and the picture's motion disagree."""
        return self.agreement > _POOR_AGREEMENT

    @property
    def is_doubtful(self) -> bool:
        """True where the face may not be what was followed: torn, or too dim to tell."""
        dim = max(_MIN_CONTRAST, _CONTRAST_LOSS * self.contrast)
        return self.is_torn or _contrast(self.cells) < dim

    @property
    def is_due(self) -> bool:
        """True where the detector is to be asked in this frame."""
        return bool(self.is_doubtful or self.refusals or self.unconfirmed_frames >= _CONFIRM_EVERY)

    @property
    def likeness(self) -> float:
        """Correlation of the face with that of the last frame in which it was sure whose it is."""
        return _correlate(self.known_cells, self.cells)

    def is_same_face(self, cells: NDArray[np.uint8]) -> bool:
        """True where cells look like the face that was followed a moment ago."""
        return _correlate(self.known_cells, cells) >= _ALIKE

    def confirmed(self, score: float) -> FaceTrack:
        """The track after the detector saw its face, with this score."""
        return replace(
            self,
            state="TRACK",
            score=score,
            contrast=_contrast(self.cells),
            unconfirmed_frames=0,
            refusals=0,
        )

    def observe(self) -> FaceObservation:
        """What is told of the face to others."""
        return FaceObservation(
            landmarks=self.landmarks.astype(np.float32),
            box=self.box,
            score=self.score,
            source="tracked" if self.unconfirmed_frames else "detected",
            agreement=self.agreement,
        )


class FaceFollower:
    """Starts, carries and confirms the tracks of single faces."""

    def __init__(self, model: Path) -> None:
        """Loads the landmark model.

        Raises:
            InvalidFile: `model` is not a landmark model of dlib.
        """
        self.finder = FaceFinder()
        self._reader = LandmarkReader(model)

    def start(self, gray: NDArray[np.uint8], face: Face, number: int) -> FaceTrack | None:
        """A track that begins at a detected face; None where it turns out to be none."""
        matrix = self._reader.square(self._reader.read(gray, face.box))
        square = self._reader.cut(gray, matrix)
        landmarks = apply_matrix(invert_matrix(matrix), self._reader.read_square(square))
        if not self._is_face(gray, face, landmarks):
            return None
        cells = _cells(square)
        return FaceTrack(
            number, "TRACK", landmarks, square, matrix, cells, cells, face.score,
            _contrast(cells), float("nan"),
        )  # fmt: skip

    def carry(self, gray: NDArray[np.uint8], track: FaceTrack) -> FaceTrack:
        """The track in the next frame, whatever has become of the face."""
        is_known = known_points(track.landmarks)
        known = track.landmarks[is_known]
        matrix = self._reader.square(track.landmarks)
        square = self._reader.cut(gray, matrix)
        moved = follow_points(
            track.square, square, apply_matrix(track.matrix, known), apply_matrix(matrix, known)
        )
        flow = np.full_like(track.landmarks, np.nan)
        flow[is_known] = moved
        cells = _cells(square)
        landmarks, agreement = flow, track.agreement
        is_read = (
            track.moved_along >= _MOST_MOVED_ALONG
            or not track.is_quiet
            or _correlate(track.cells, cells) < _STILL
        )
        if is_read:
            fresh = self._reader.read_square(square, box_from_landmarks(flow))
            apart = np.hypot(*(fresh - flow).T) / READER_FACE
            landmarks, agreement = _fuse(flow, fresh, apart), float(np.median(apart[is_known]))
        return replace(
            track,
            landmarks=apply_matrix(invert_matrix(matrix), landmarks),
            square=square,
            matrix=matrix,
            cells=cells,
            agreement=agreement,
            moved_along=0 if is_read else track.moved_along + 1,
            unconfirmed_frames=track.unconfirmed_frames + 1,
        )

    def look_near(self, gray: NDArray[np.uint8], track: FaceTrack) -> Face | None:
        """The face that the detector sees next to a track, upright as the track has it."""
        return self.finder.find_near(
            gray, track.box, turn_degrees=track.turn_degrees, threshold=_CONFIRM_THRESHOLD
        )

    def _is_face(self, gray: NDArray[np.uint8], face: Face, landmarks: NDArray[np.float64]) -> bool:
        """True for what is clearly a face, or still is one when looked at again.

        A clear score speaks for itself. A doubtful one is told from a fold of cloth within its
        first frame: the detector has to see it at another size, and landmarks have to settle on the
        same places from boxes that are a little shifted.
        """
        if face.is_clear:
            return True
        box = box_from_landmarks(landmarks)
        if self.finder.find_near(gray, box, threshold=0.0) is None:
            return False
        apart = []
        for right, down, size in _SHIFTS:
            shifted = Box(box.x + right * box.width, box.y + down * box.width, size * box.width)
            again = self._reader.read(gray, shifted)
            apart.append(np.nanmedian(np.hypot(*(again - landmarks).T)) / box.width)
        return float(np.median(apart)) <= _STEADY


def _contrast(cells: NDArray[np.uint8]) -> float:
    """Spread of the gray levels of a face, in levels, from its cells.

    A sensor's noise is averaged away: what is left in the dark is nothing, in the light a face.
    """
    return float(cells[_RIM_CELLS:-_RIM_CELLS, _RIM_CELLS:-_RIM_CELLS].std())


def _correlate(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Correlation of two faces' cells from -1 to 1, free of the light that falls on them."""
    first, second = _pattern(a), _pattern(b)
    strength = float(np.sqrt((first * first).sum() * (second * second).sum()))
    return float((first * second).sum()) / strength if strength > 0 else 0.0


def _pattern(cells: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The face's cells without mean and without gradual light."""
    cv2: Any = require("cv2", "preprocess")
    rim = _RIM_CELLS + 2
    inner = cells[rim:-rim, rim:-rim].astype(np.float32)
    pattern: NDArray[np.float32] = inner - cv2.GaussianBlur(inner, None, _LIGHT_CELLS)
    pattern -= pattern.mean()
    return pattern


def _cells(square: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A square averaged over cells of 1/20 of the face's width."""
    cv2: Any = require("cv2", "preprocess")
    cells: NDArray[np.uint8] = cv2.resize(square, (_CELLS, _CELLS), interpolation=cv2.INTER_AREA)
    return cells


def _fuse(
    flow: NDArray[np.float64], fresh: NDArray[np.float64], apart: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Flow corrected towards the fresh landmarks, the more the further they are apart.

    The gain, 0.12 for quiet points and 1 for those off by 3.8 % of the box, is ours: small
    differences are the landmark reader's jitter, large ones the flow's drift.
    """
    gain = np.clip(0.12 + 0.25 * (apart / 0.02) ** 2, 0, 1)
    return flow + gain[:, None] * (fresh - flow)
