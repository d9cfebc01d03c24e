"""One face followed through the gray frames of a take.

A detector on every frame is slow and its boxes jump. Here the box comes from the landmarks of the
frame before, fresh landmarks are fused with optical flow, and the detector is asked only to start,
to confirm now and then, when something looks wrong, and to recover.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from mavfer.errors import require
from mavfer.vision.faces import LANDMARKS, Box, Face, FaceFinder, LandmarkReader, box_from_landmarks

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["FaceObservation", "FaceTracker", "Source"]

Source = Literal["detected", "tracked", "none"]

_CONFIRM_EVERY: Final = 15
_COUNT_EVERY: Final = 90
_CONFIRM_THRESHOLD: Final = -0.3
"""A face is known to have been here a moment ago: turned and dim ones may score this low."""
_REFUSALS_TO_LOSE: Final = 4
_MOVED: Final = 0.2
"""A confirmed box this far (in widths) from the track's own starts the track anew."""
_POOR_AGREEMENT: Final = 0.04
"""Fresh landmarks and flow this far apart (median, in box widths) call for the detector."""
_MIN_CONTRAST: Final = 6.0
_BLIND_CONTRAST: Final = 2.5
"""Of a whole frame: below it there is nothing to see, and no detector is asked. Frames in the light
have 20 and more, frames of nothing but noise about 2."""
_CONTRAST_LOSS: Final = 0.4
"""Light falling below this share of that at the last confirmation calls for the detector."""
_SEARCH_EAGERLY: Final = 15
_SEARCH_EVERY: Final = 3
"""A face gone for longer than 15 frames is searched for on every third only."""
_FLOW_ROI: Final = 160
_FLOW_MARGIN: Final = 40
_CONTRAST_CELLS: Final = 24
_BAND_ROWS: Final = 25
"""A tenth of the picture for the flow: narrower than a lamp's bands, wider than a mouth."""
_STEADY_LIGHT: Final = 0.015
"""In steady light rows change less than this, by motion, and are better left alone."""


@dataclass(frozen=True)
class FaceObservation:
    """What is known of the face in one frame."""

    landmarks: NDArray[np.float32]
    """(68, 2) x, y in pixels of the frame; NaN where there is no face."""
    box: Box | None
    """Square around the face; None where there is none."""
    score: float
    """The detector's score when it last saw this face; NaN where there is none."""
    n_faces: int
    """Faces in the frame when the whole frame was last searched, at least one while tracking."""
    source: Source
    """"detected": the detector saw the face in this frame; "tracked": followed from the frame
    before; "none": no face."""
    agreement: float
    """Median distance of fresh landmarks and optical flow in box widths: below 0.02 is good; NaN
    where the face was not followed."""


@dataclass(frozen=True)
class _Track:
    """What is carried from one frame to the next."""

    landmarks: NDArray[np.float64]
    gray: NDArray[np.uint8]
    score: float
    contrast: float
    """Of the face at its last confirmation."""
    since_confirmed: int = 0
    refusals: int = 0
    """Times in a row that the detector did not see the face."""


class FaceTracker:
    """Follows one face, frame by frame; the widest where there are several at the start."""

    def __init__(self, model: Path) -> None:
        self._finder = FaceFinder()
        self._reader = LandmarkReader(model)
        self._track: _Track | None = None
        self._n_faces = 0
        self._frame = -1
        self._lost_frames = 0

    def update(self, gray: NDArray[np.uint8]) -> FaceObservation:
        """The face in the next frame of the take.

        Args:
            gray: uint8 (H, W); kept until the next call, so it must not be overwritten.

        Raises:
            InvalidArray: `gray` is not a gray frame.
        """
        self._frame += 1
        if self._track is None:
            return self._search(gray)
        if self._frame % _COUNT_EVERY == 0:
            self._n_faces = _count(self._finder.find(gray))
        return self._follow(gray, self._track)

    def _search(self, gray: NDArray[np.uint8]) -> FaceObservation:
        """Looks for a face in the whole frame."""
        self._lost_frames += 1
        if self._lost_frames > _SEARCH_EAGERLY and self._lost_frames % _SEARCH_EVERY:
            return self._nothing()
        if _spread(gray) < _BLIND_CONTRAST:
            self._n_faces = 0
            return self._nothing()
        faces = self._finder.find(gray)
        self._n_faces = _count(faces) if faces else 0
        if not faces:
            return self._nothing()
        return self._start(gray, faces[0], np.nan)

    def _start(self, gray: NDArray[np.uint8], face: Face, agreement: float) -> FaceObservation:
        """Begins a track at a detected face."""
        rough = self._reader.read(gray, face.box)
        landmarks = self._reader.read(gray, box_from_landmarks(rough))
        contrast = _contrast(gray, box_from_landmarks(landmarks))
        self._lost_frames = 0
        self._track = _Track(landmarks, gray.copy(), face.score, contrast)
        return self._observe(self._track, "detected", agreement)

    def _follow(self, gray: NDArray[np.uint8], track: _Track) -> FaceObservation:
        """Carries the track to this frame, and asks the detector where that is due."""
        box = box_from_landmarks(track.landmarks)
        flow = _flow(track.gray, gray, track.landmarks, box)
        box = box_from_landmarks(flow)
        fresh = self._reader.read(gray, box)
        apart = np.hypot(*(fresh - flow).T) / box.width
        agreement = float(np.median(apart))
        landmarks = _fuse(flow, fresh, apart)
        contrast = _contrast(gray, box)
        moved = replace(
            track,
            landmarks=landmarks,
            gray=gray.copy(),
            since_confirmed=track.since_confirmed + 1,
        )
        is_dim = contrast < max(_MIN_CONTRAST, _CONTRAST_LOSS * track.contrast)
        is_doubtful = is_dim or agreement > _POOR_AGREEMENT
        if not is_doubtful and not track.refusals and moved.since_confirmed < _CONFIRM_EVERY:
            self._track = moved
            return self._observe(moved, "tracked", agreement)
        return self._confirm(gray, moved, is_doubtful, contrast, agreement)

    def _confirm(
        self,
        gray: NDArray[np.uint8],
        track: _Track,
        is_doubtful: bool,
        contrast: float,
        agreement: float,
    ) -> FaceObservation:
        """Asks the detector near the track, and believes it."""
        box = box_from_landmarks(track.landmarks)
        face = self._finder.find_near(gray, box, threshold=_CONFIRM_THRESHOLD)
        if face is None:
            return self._refuse(track, is_doubtful, agreement)
        if box.distance(face.box) > _MOVED:
            return self._start(gray, face, agreement)
        self._track = replace(
            track, score=face.score, contrast=contrast, since_confirmed=0, refusals=0
        )
        return self._observe(self._track, "detected", agreement)

    def _refuse(self, track: _Track, is_doubtful: bool, agreement: float) -> FaceObservation:
        """The detector sees no face: a few such frames end the track, a doubtful one shows none."""
        refusals = track.refusals + 1
        if refusals >= _REFUSALS_TO_LOSE:
            self._track = None
            self._lost_frames = 0
            self._n_faces = 0
            return self._nothing()
        self._track = replace(track, refusals=refusals)
        return self._nothing() if is_doubtful else self._observe(self._track, "tracked", agreement)

    def _observe(self, track: _Track, source: Source, agreement: float) -> FaceObservation:
        """The observation of a face that is there."""
        return FaceObservation(
            landmarks=track.landmarks.astype(np.float32),
            box=box_from_landmarks(track.landmarks),
            score=track.score,
            n_faces=max(1, self._n_faces),
            source=source,
            agreement=agreement,
        )

    def _nothing(self) -> FaceObservation:
        """The observation of no face."""
        landmarks = np.full((LANDMARKS, 2), np.nan, dtype=np.float32)
        return FaceObservation(landmarks, None, np.nan, self._n_faces, "none", np.nan)


def _count(faces: list[Face]) -> int:
    """Faces that are clear; at least one, the doubtful one that is followed."""
    return max(1, sum(face.is_clear for face in faces))


def _flow(
    before: NDArray[np.uint8],
    now: NDArray[np.uint8],
    landmarks: NDArray[np.float64],
    box: Box,
) -> NDArray[np.float64]:
    """Landmarks (68, 2) of the frame before, moved with the picture to this frame.

    Both frames are cut and resampled alike, so that the search window means the same on any face.
    Points that are lost keep company with the median motion.

    Source: Lucas and Kanade 1981, IJCAI, on three pyramid levels (Bouguet 2001, Intel report).
    """
    cv2: Any = require("cv2", "preprocess")
    matrix = box.to_square(_FLOW_ROI, _FLOW_MARGIN)
    side = _FLOW_ROI + 2 * _FLOW_MARGIN
    cut = {"flags": cv2.INTER_LINEAR, "borderMode": cv2.BORDER_REPLICATE}
    first, second = (cv2.warpAffine(image, matrix, (side, side), **cut) for image in (before, now))
    second = _relit(first, second)
    start = (landmarks * matrix[0, 0] + matrix[:, 2]).astype(np.float32)
    end, status, _ = cv2.calcOpticalFlowPyrLK(
        first, second, start[:, None], None, winSize=(17, 17), maxLevel=2
    )
    motion = end[:, 0].astype(np.float64) - start
    is_found = status[:, 0] == 1
    if is_found.any():
        motion[~is_found] = np.median(motion[is_found], axis=0)
    else:
        motion[:] = 0
    moved: NDArray[np.float64] = landmarks + motion / matrix[0, 0]
    return moved


def _relit(before: NDArray[np.uint8], now: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture of now with the rows as bright as before.

    Flow takes all change for motion. Lamps that flicker light a rolling shutter in bands of rows,
    which would drag the landmarks along.
    """
    cv2: Any = require("cv2", "preprocess")
    rows = [cv2.reduce(image, 1, cv2.REDUCE_AVG, dtype=cv2.CV_32F) for image in (before, now)]
    smooth = [cv2.blur(row, (1, _BAND_ROWS)) + 1 for row in rows]
    gain = smooth[0] / smooth[1]
    if np.percentile(np.abs(gain - 1), 75) < _STEADY_LIGHT:
        return now
    relit: NDArray[np.uint8] = np.clip(now * gain, 0, 255).astype(np.uint8)
    return relit


def _fuse(
    flow: NDArray[np.float64], fresh: NDArray[np.float64], apart: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Flow corrected towards the fresh landmarks, the more the further they are apart.

    The gain, 0.12 for quiet points and 1 for those off by 3.8 % of the box, is ours: small
    differences are the landmark reader's jitter, large ones the flow's drift.
    """
    gain = np.clip(0.12 + 0.25 * (apart / 0.02) ** 2, 0, 1)
    return flow + gain[:, None] * (fresh - flow)


def _contrast(gray: NDArray[np.uint8], box: Box) -> float:
    """Spread of the gray levels of a face, in levels, after averaging over 1/24 of its width.

    A sensor's noise is averaged away: what is left in the dark is nothing, in the light a face.
    """
    half = box.width / 2
    left, top = max(0, round(box.x - half)), max(0, round(box.y - half))
    inside = gray[top : max(0, round(box.y + half)), left : max(0, round(box.x + half))]
    if inside.size == 0:
        return 0.0
    return _spread(inside)


def _spread(image: NDArray[np.uint8]) -> float:
    """Spread of an image's gray levels after averaging over 1/24 of its sides."""
    cv2: Any = require("cv2", "preprocess")
    cells = cv2.resize(image, (_CONTRAST_CELLS, _CONTRAST_CELLS), interpolation=cv2.INTER_AREA)
    return float(cells.std())
