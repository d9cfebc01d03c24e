"""Depth and thermal of a session without a calibration: placed by the face, approximately."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import NotAligned
from mavfer.preprocess.temperatures import centikelvin_of_counts
from mavfer.study.streams_file import read_frame
from mavfer.vision.approximate import estimate_placement
from mavfer.vision.landmarks import is_found

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from mavfer.preprocess.timeline import Timeline
    from mavfer.streams import StreamName
    from mavfer.study.session import Session
    from mavfer.vision.approximate import Placement

__all__ = ["describe_placements", "place_streams"]

_FRAMES: Final = 60


def place_streams(
    session: Session, timeline: Timeline, file: Any, landmarks: NDArray[np.float32]
) -> dict[StreamName, Placement]:
    """Where color pixels lie in depth and in thermal, from the subject's face in many frames.

    Args:
        session: The session.
        timeline: Which frames go with which color frame.
        file: The session's open streams.h5.
        landmarks: (T, 68, 2) of the subject in each color frame, NaN where none.

    Raises:
        NotAligned: The face does not show where they lie.
        DataError: Thermal counts mean no temperature.
    """
    radiometry = session.document["streams"].get("thermal", {}).get("radiometry")
    centikelvin = centikelvin_of_counts(radiometry, session.name)
    placements: dict[StreamName, Placement] = {}
    for stream, pairing in timeline.pairings.items():
        rows = np.flatnonzero(is_found(landmarks) & pairing.usable)
        chosen = (
            rows[np.unique(np.linspace(0, len(rows) - 1, _FRAMES).astype(int))]
            if len(rows)
            else rows
        )
        dataset = file.frames(stream)
        frames = [read_frame(dataset, int(pairing.index[row])) for row in chosen]
        counts = np.array(frames, np.uint16).reshape(len(frames), *dataset.shape[1:])
        try:
            placements[stream] = estimate_placement(
                landmarks[chosen],
                counts if centikelvin is None or stream != "thermal" else centikelvin[counts],
                "depth" if stream == "depth" else "thermal",
                mm_per_count=session.document["streams"][stream].get("depth_mm_per_count", 1.0),
            )
        except NotAligned as error:
            message = f"session {session.name}: {error}"
            raise NotAligned(message) from error
    return placements


def describe_placements(placements: dict[StreamName, Placement]) -> dict[str, Any]:
    """What the shard says of them, by stream."""
    return {
        stream: {
            "matrix": placement.matrix.tolist(),
            "error_px": placement.error_px,
            "error_eye_percent": placement.error_eye_percent,
            "frames_used": placement.frames_used,
        }
        for stream, placement in placements.items()
    }
