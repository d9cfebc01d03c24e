"""Looking at recordings: what is known about a frame or a session, handed to `showing`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mavfer.errors import CommandError, NotFound
from mavfer.progress import counted
from mavfer.recordings import RATER_PREFIX
from mavfer.showing import (
    FrameView,
    SessionView,
    Trace,
    draw_frame,
    draw_session,
    draw_sessions,
)
from mavfer.streams import STREAM_NAMES
from mavfer.study.labels import read_label_traces

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from mavfer.recordings import Recording
    from mavfer.study.study import Study

__all__ = ["plot_session", "plot_sessions", "show_frame"]


def show_frame(rec: Recording, label: str | None, frame: int, *, landmarks: bool) -> Figure:
    """The streams of one frame side by side.

    Args:
        rec: Its recording.
        label: Name of the label that was loaded; None for none.
        frame: Its number; negative numbers count from the end.
        landmarks: Draw the landmarks.

    Raises:
        IndexError: There is no such frame.
        MissingExtra: matplotlib is not installed.
    """
    if not -len(rec) <= frame < len(rec):
        message = f"frame {frame}: session {rec.session} has frames 0 to {len(rec) - 1}"
        raise IndexError(message)
    row = int(frame) % len(rec)
    there = [name for name in STREAM_NAMES if rec.stream(name).is_there]
    view = FrameView(
        session=rec.session,
        subject=rec.subject,
        frame=row,
        frames=len(rec),
        seconds=float(rec.time_seconds[row]),
        label=_values(rec, row) if label else None,
        pixels={name: rec.stream(name)[row] for name in there},
        valid={name: bool(rec.valid[name][row]) for name in there},
        is_carried=bool(rec.carried[row]),
        reason=int(rec.column("reason")[row]),
        landmarks=_landmarks_in_crop(rec, row) if landmarks else None,
    )
    return draw_frame(view)


def _values(rec: Recording, row: int) -> dict[str, float]:
    """The label of one frame by dimension."""
    return {name: float(rec.label(name)[row]) for name in rec.dimensions}


def plot_session(rec: Recording, study: Study, label: str | None) -> Figure:
    """Labels of one session over time, and what of it can be used.

    Raises:
        MissingExtra: matplotlib is not installed.
    """
    return draw_session(_session_view(rec, study, label))


def plot_sessions(
    recordings: Sequence[Recording], study: Study, label: str | None, *, limit: int
) -> Figure:
    """One row a session, by subject; the first `limit` of them, and a note where there are more.

    Raises:
        NotFound: There is no recording.
        CommandError: `limit` is not a number of rows.
        MissingExtra: matplotlib is not installed.
    """
    if limit < 1:
        message = f"limit is {limit}. Give the number of sessions to plot, 1 or more"
        raise CommandError(message)
    if not recordings:
        message = f"study {study.name!r}: no sessions to plot. Choose others with select()"
        raise NotFound(message)
    every = sorted(recordings, key=lambda rec: (rec.subject, rec.session))
    views = [_session_view(rec, study, label) for rec in every[:limit]]
    return draw_sessions(views, title=study.name, note=_note(every, limit, label))


def _note(recordings: Sequence[Recording], limit: int, label: str | None) -> str:
    """How many there are, and how to see those that are not drawn."""
    words = [
        counted(len(recordings), "session"),
        counted(len({rec.subject for rec in recordings}), "subject"),
        f"label {label}" if label else "no labels loaded",
    ]
    if len(recordings) > limit:
        words.append(f"the first {limit} by subject; for others select() them, or raise limit")
    return "   ·   ".join(words)


def _session_view(rec: Recording, study: Study, label: str | None) -> SessionView:
    return SessionView(
        session=rec.session,
        subject=rec.subject,
        seconds=None if rec.kind == "stills" else rec.time_seconds,
        label=label,
        traces=_traces(rec, study, label) if label else (),
        valid={name: rec.valid[name] for name in STREAM_NAMES if rec.stream(name).is_there},
        carried=rec.carried,
        reason=rec.column("reason"),
    )


def _traces(rec: Recording, study: Study, label: str) -> tuple[Trace, ...]:
    bands = {} if label.startswith(RATER_PREFIX) else _bands(study, label, rec.session)
    return tuple(
        Trace(
            name=about["name"],
            value=rec.label(about["name"]),
            band=bands.get(about["name"]),
            scale=(about["low"], about["high"]),
            words=(about["low_word"], about["high_word"]),
        )
        for about in study.document["dimensions"]
    )


def _bands(
    study: Study, label: str, session: str
) -> dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Lower and higher end (T,) by dimension, where the session has this label."""
    try:
        traces, _ = read_label_traces(study, label, session)
    except NotFound:
        return {}
    return {name: (trace.low, trace.high) for name, trace in traces.items()}


def _landmarks_in_crop(rec: Recording, row: int) -> NDArray[Any]:
    """Landmarks (68, 2) of one frame in crop pixels, NaN where none."""
    matrix = rec.crop_matrix[row]
    points: NDArray[Any] = rec.landmarks[row] @ matrix[:, :2].T + matrix[:, 2]
    return points
