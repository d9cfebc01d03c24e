"""What really happened in a simulated take, as plain arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from recording.simulated.clocks import NS_PER_SECOND
from recording.simulated.motion import TABLE_HZ

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mavfer.streams import StreamName
    from mavfer.vision.geometry import CameraModel
    from recording.simulated.clocks import Schedule
    from recording.simulated.motion import Take
    from recording.simulated.subjects import Subject

__all__ = ["Latents", "StreamTruth", "Truth", "latent_truth", "locate_landmarks", "stream_truth"]


@dataclass(frozen=True)
class Latents:
    """The state that the face expresses, at 100 Hz."""

    time_ns: NDArray[np.int64]
    """(T,) on the host's clock."""
    arousal: NDArray[np.float32]
    """(T,) in [-1, 1]."""
    valence: NDArray[np.float32]
    """(T,) in [-1, 1]."""
    weights: NDArray[np.float32]
    """(T, 6) of the expression fields, with blinks and everything else that moves the face."""


@dataclass(frozen=True)
class StreamTruth:
    """Every exposure (N,) of one camera, delivered or not."""

    frame_number: NDArray[np.int64]
    true_ns: NDArray[np.int64]
    """Middle of the exposure on the host's clock."""
    device_ns: NDArray[np.int64]
    """The same on the device's clock."""
    exposure_ns: NDArray[np.int64]
    dropped: NDArray[np.bool_]
    """The frame was never delivered."""
    is_shutter: NDArray[np.bool_]
    """The shutter was closed; the pixels are those of the frame before."""
    gain: NDArray[np.float32]
    """Light on the scene, 1 when lit."""
    head_pose: NDArray[np.float64]
    """(N, 4, 4) head's frame to the color camera's, millimetres."""
    landmarks: NDArray[np.float32]
    """(N, 68, 2) in this camera's own, distorted pixels; dlib's order."""
    landmarks_mm: NDArray[np.float32]
    """(N, 68, 3) in the color camera's frame."""


@dataclass(frozen=True)
class Truth:
    """Everything known about a take."""

    latents: Latents
    streams: dict[StreamName, StreamTruth]
    calibration: dict[str, Any]
    """The exact calibration document."""
    settings: dict[str, Any]
    """Seeds, clocks, traits of the subject, and every number of the noise models."""


def latent_truth(take: Take, seconds: float, start_ns: int) -> Latents:
    """The latents of a take of `seconds` that began at `start_ns`."""
    elapsed = np.arange(int(seconds * TABLE_HZ) + 1) / TABLE_HZ
    arousal, valence = take.arousal_valence(elapsed).T
    return Latents(
        time_ns=start_ns + np.round(elapsed * NS_PER_SECOND).astype(np.int64),
        arousal=arousal.astype(np.float32),
        valence=valence.astype(np.float32),
        weights=take.weights(elapsed).astype(np.float32),
    )


def stream_truth(
    subject: Subject,
    take: Take,
    camera: CameraModel,
    schedule: Schedule,
    *,
    dropped: NDArray[np.bool_],
    is_shutter: NDArray[np.bool_],
    start_ns: int,
) -> StreamTruth:
    """The truth of the first `len(dropped)` exposures of a camera."""
    count = len(dropped)
    seconds = schedule.true_ns[:count] / NS_PER_SECOND
    lasting = schedule.exposure_ns[:count] / NS_PER_SECOND
    points = locate_landmarks(subject, take, seconds)
    gains = [take.lighting.gain(*pair) for pair in zip(seconds, lasting, strict=True)]
    return StreamTruth(
        frame_number=np.arange(count, dtype=np.int64),
        true_ns=schedule.true_ns[:count] + start_ns,
        device_ns=schedule.device_ns[:count].copy(),
        exposure_ns=schedule.exposure_ns[:count].copy(),
        dropped=dropped,
        is_shutter=is_shutter[:count].copy(),
        gain=np.array(gains, dtype=np.float32),
        head_pose=take.head_pose(seconds),
        landmarks=camera.project(points.reshape(-1, 3)).reshape(count, 68, 2).astype(np.float32),
        landmarks_mm=points.astype(np.float32),
    )


def locate_landmarks(
    subject: Subject, take: Take, seconds: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The 68 landmarks (T, 68, 3) in the color camera's frame, millimetres."""
    moved = np.tensordot(take.weights(seconds), subject.landmark_fields_mm, axes=1)  # (T, 68, 3)
    still = subject.landmarks_mm + moved - subject.pivot_mm
    rotations, shifts = take.turn_and_shift(seconds)
    turned = np.einsum("tij,tkj->tki", rotations, still)
    share = subject.landmark_turn[:, None]
    return np.asarray(still + share * (turned - still) + subject.pivot_mm + shifts[:, None])
