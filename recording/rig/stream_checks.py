"""What a selftest says of one camera."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from recording.camera import ClockDomain, FrameFlag
from recording.rig.findings import LOSS_ADVICE, Finding, graded

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from recording.rig.phases import ExposureTimes
    from recording.rig.watching import StreamNotes

__all__ = ["check_stream"]

_NS_PER_MS: Final = 1e6
_SHORTFALL_PASS, _SHORTFALL_LOOK = 0.005, 0.03
"""Share of the asked rate that does not come."""
_LOST_LOOK: Final = 0.005
_GAP_PASS, _GAP_LOOK = 2.5, 10.0
"""Frames' times; the recorder calls a camera stalled after ten."""
_LATE_PASS, _LATE_LOOK = 0.5, 2.0
"""Frames' times; the clock fit copes with more, but it tells of a crowded bus."""
_BOUND_PASS_MS, _BOUND_LOOK_MS = 1.0, 5.0
_PACKETS_LOOK: Final = 0.001
_MOST_EVENTS: Final = 3


def check_stream(
    notes: StreamNotes,
    times: ExposureTimes | None,
    calibration: dict[str, Any] | None,
) -> list[Finding]:
    """What is to be said of one camera.

    Args:
        notes: What was noted.
        times: When it was exposed; None where too few frames came to tell.
        calibration: The rig's calibration document, or None.
    """
    frames = notes.frames
    if times is None:
        return [_camera(notes, calibration), _too_few(notes, frames), *_events(notes)]
    return [
        _camera(notes, calibration),
        _rate(notes, frames),
        _drops(notes, frames),
        _longest_gap(notes, frames),
        _arrivals(notes, frames, times),
        _clock(notes, times),
        *_link(notes),
        *_shutter(notes, frames),
        *_events(notes),
    ]


def _camera(notes: StreamNotes, calibration: dict[str, Any] | None) -> Finding:
    """What camera it is, and whether the calibration is of its size."""
    info = notes.info
    found = f"{info.model} {info.serial}, {info.width}x{info.height} at {info.rate_hz:g}"
    values = {"width": info.width, "height": info.height, "rate_hz": info.rate_hz}
    known = (calibration or {}).get("cameras", {}).get(info.stream)
    if known is None:
        advice = "no calibration knows it, so that its frames cannot be placed: see calibration"
        return Finding("camera", info.stream, "look", found, advice, values)
    if (known["width"], known["height"]) != (info.width, info.height):
        advice = (
            f"the calibration is of {known['width']}x{known['height']}: ask for that size, "
            f"or calibrate at this one"
        )
        return Finding("camera", info.stream, "fail", found, advice, values)
    return Finding("camera", info.stream, "pass", found, values=values)


def _too_few(notes: StreamNotes, frames: NDArray[Any]) -> Finding:
    reason = notes.failure or "see that it is powered and triggered, and that nothing else uses it"
    return Finding(
        "frames", notes.info.stream, "fail", f"{len(frames)}", reason, {"frames": len(frames)}
    )


def _rate(notes: StreamNotes, frames: NDArray[Any]) -> Finding:
    """Frames against what was asked for, between the first and the last one."""
    asked_hz = notes.info.rate_hz
    rate_hz = (len(frames) - 1) * 1e9 / float(frames["host_ns"][-1] - frames["host_ns"][0])
    found = f"{len(frames)}, {rate_hz:.2f} a second of {asked_hz:g}"
    advice = (
        "see drops; a webcam slows down in the dark (more light, or a fixed exposure); else "
        "another port, a smaller size, or ask for the rate that comes"
    )
    values = {"frames": len(frames), "rate_hz": round(rate_hz, 3), "asked_hz": asked_hz}
    finding = Finding("frames", notes.info.stream, "look", found, advice, values)
    return graded(finding, 1 - rate_hz / asked_hz, passes=_SHORTFALL_PASS, looks=_SHORTFALL_LOOK)


def _drops(notes: StreamNotes, frames: NDArray[Any]) -> Finding:
    """Frames that are missing by cause, and those of which pixels are."""
    causes = Counter(cause for _, cause in notes.drops)
    unread = sum(count for cause, count in causes.items() if cause in {"device", "link"})
    torn = int(np.count_nonzero(frames["flags"] & FrameFlag.INCOMPLETE))
    told = ", ".join(f"{count} {cause}" for cause, count in sorted(causes.items()))
    found = f"{len(notes.drops)} of {len(frames) + unread}" + (f": {told}" if told else "")
    found += f"; {torn} without all pixels" if torn else ""
    kinds = sorted({*causes, "link"} if torn else causes)
    advice = "; ".join(LOSS_ADVICE[kind] for kind in kinds)
    values: dict[str, float] = {"drops": len(notes.drops), "incomplete": torn, **causes}
    finding = Finding("drops", notes.info.stream, "look", found, advice, values)
    share = (len(notes.drops) + torn) / (len(frames) + unread)
    return graded(finding, share, passes=0.0, looks=_LOST_LOOK)


def _longest_gap(notes: StreamNotes, frames: NDArray[Any]) -> Finding:
    longest_ms = float(np.diff(frames["host_ns"]).max()) / _NS_PER_MS
    periods = longest_ms * notes.info.rate_hz / 1000
    found = f"{longest_ms:.1f} ms between arrivals: {periods:.1f} frames"
    advice = "see drops; where there are none, the bus or the machine held frames back"
    values = {"longest_gap_ms": round(longest_ms, 3)}
    finding = Finding("longest gap", notes.info.stream, "look", found, advice, values)
    return graded(finding, periods, passes=_GAP_PASS, looks=_GAP_LOOK)


def _arrivals(notes: StreamNotes, frames: NDArray[Any], times: ExposureTimes) -> Finding:
    """How unevenly frames arrive: against the exposures, where the camera stamps them."""
    if times.fit is not None:
        fit = times.fit
        late_ms = (fit.residual_median_ms, fit.residual_p95_ms, fit.residual_max_ms)
    else:
        uneven = np.abs(np.diff(frames["host_ns"]) / _NS_PER_MS - 1000 / notes.info.rate_hz)
        median, p95, most = np.percentile(uneven, (50, 95, 100))
        late_ms = (float(median), float(p95), float(most))
    found = "late by {:.2f} ms (median), {:.2f} (95 %), {:.1f} (most)".format(*late_ms)
    values = dict(zip(("median_ms", "p95_ms", "most_ms"), np.round(late_ms, 3).tolist(),
                      strict=True))  # fmt: skip
    advice = "the bus or network is crowded, or the machine busy: a port of its own helps"
    finding = Finding("arrivals", notes.info.stream, "look", found, advice, values)
    periods = late_ms[1] * notes.info.rate_hz / 1000
    return graded(finding, periods, passes=_LATE_PASS, looks=_LATE_LOOK)


def _clock(notes: StreamNotes, times: ExposureTimes) -> Finding:
    stream = notes.info.stream
    if times.problem:
        advice = "times are then those of arrival. Update the camera's firmware, or replace it"
        return Finding("clock", stream, "fail", times.problem, advice)
    if times.domain == ClockDomain.ARRIVAL:
        advice = "uneven arrivals go into the times: a camera with stamps of its own is better"
        return Finding("clock", stream, "look", "no stamp but the arrival", advice)
    if times.fit is None:
        return Finding("clock", stream, "pass", "stamped by the host's driver: nothing to fit")
    jumps = len(times.fit.pieces) - 1
    drift = f"drifts by {times.fit.drift_ppm:+.1f} ppm"
    found = f"{drift}, 95 % of times within {times.uncertainty_ms:.2f} ms"
    found += f", jumped {jumps} times" if jumps else ""
    advice = "a longer look narrows the bound (--seconds 300)"
    if jumps:
        advice = "the clock was set or began anew, or frames come too unevenly: see arrivals"
    values = {
        "drift_ppm": round(times.fit.drift_ppm, 3),
        "uncertainty_ms": round(times.uncertainty_ms, 4),
        "jumps": jumps,
    }
    finding = Finding("clock", stream, "look", found, advice, values)
    badness = max(times.uncertainty_ms, _BOUND_LOOK_MS if jumps else 0.0)
    return graded(finding, badness, passes=_BOUND_PASS_MS, looks=_BOUND_LOOK_MS)


def _link(notes: StreamNotes) -> Iterator[Finding]:
    """What a camera on the network counted; packets sent again cost nothing but warn."""
    if not notes.link:
        return
    counted = Counter(notes.link)
    missing, resent = counted["missing_packets"], counted["resent_packets"]
    found = (
        f"{counted['received_packets']} packets, {missing} missing, {resent} sent again, "
        f"{counted['underruns']} without a buffer"
    )
    values = {name: float(count) for name, count in notes.link.items()}
    finding = Finding("link", notes.info.stream, "look", found, LOSS_ADVICE["link"], values)
    share = (missing + resent + counted["underruns"]) / max(1, counted["received_packets"])
    yield graded(finding, share, passes=0.0, looks=_PACKETS_LOOK)


def _shutter(notes: StreamNotes, frames: NDArray[Any]) -> Iterator[Finding]:
    """How often a thermal shutter closed, and for how long."""
    if notes.info.stream != "thermal":
        return
    flag, source = FrameFlag.SHUTTER, "told by the camera"
    if not np.any(frames["flags"] & flag):
        flag, source = FrameFlag.REPEATED, "guessed: the picture stood still"
    lengths = _lengths_seconds(frames["host_ns"], (frames["flags"] & flag) != 0)
    if not lengths:
        advice = (
            "cameras close it every few minutes: look longer (--seconds 300), or make it close, "
            "and see that it is told here"
        )
        yield Finding("shutter", "thermal", "look", "no closing was told", advice)
        return
    found = f"closed {len(lengths)} times, {min(lengths):.2f} to {max(lengths):.2f} s, {source}"
    values = {"closings": len(lengths), "longest_seconds": round(max(lengths), 3)}
    yield Finding("shutter", "thermal", "pass", found, values=values)


def _lengths_seconds(host_ns: NDArray[np.int64], is_on: NDArray[np.bool_]) -> list[float]:
    """How long each stretch of frames lasts, up to the next frame."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], is_on, [False])).astype(np.int8)))
    begins, ends = edges[::2], np.minimum(edges[1::2], len(host_ns) - 1)
    lengths: list[float] = ((host_ns[ends] - host_ns[begins]) / 1e9).tolist()
    return lengths


def _events(notes: StreamNotes) -> Iterator[Finding]:
    """What happened besides: a stall, a camera that was lost, a count that jumped."""
    told = [f"{kind}: {text}" for kind, text in notes.events if not kind.startswith("shutter")]
    if told:
        found = "; ".join(told[:_MOST_EVENTS])
        advice = "check cable, power and port: in a take this costs frames too"
        yield Finding("events", notes.info.stream, "fail", found, advice, {"events": len(told)})
