"""What a selftest says of the machine, of cameras together, and of a lamp that all of them saw."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Final

import numpy as np

from recording.rig.findings import LOSS_ADVICE, Finding, Result, graded
from recording.rig.phases import exposure_phase

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mavfer.streams import StreamName
    from recording.rig.flash import FlashOffset
    from recording.rig.phases import ExposurePhase, ExposureTimes
    from recording.rig.watching import StreamNotes, TakeNotes

__all__ = ["check_flashes", "check_machine", "check_pairs"]

_NS_PER_MS: Final = 1e6
_BUSY_PASS, _BUSY_LOOK = 0.7, 0.9
"""Share of all cores."""
_QUEUE_PASS: Final = 0.25
_OVERFLOWN: Final = 2.0
_HELD_MS_A_MINUTE: Final = 0.3
"""5 parts in a million: two crystals that run freely are seldom closer."""
_SCATTER_SHARE: Final = 0.1
"""Of a frame's time; stamps that scatter more hide a trigger."""


def check_machine(notes: TakeNotes) -> list[Finding]:
    """Whether the machine and the disk keep up."""
    findings = [_processor(notes)]
    findings += [_queue(each, notes.queue_frames) for each in notes.streams.values()]
    if notes.write_failure:
        advice = LOSS_ADVICE["disk"]
        findings.append(Finding("disk", "rig", "fail", notes.write_failure, advice))
    return findings


def check_pairs(times: Mapping[StreamName, ExposureTimes]) -> list[Finding]:
    """How the exposures of each two cameras lie to each other."""
    return [
        _phase(f"{one}, {other}", times[one], times[other]) for one, other in combinations(times, 2)
    ]


def check_flashes(offsets: Sequence[FlashOffset], streams: Sequence[StreamName]) -> list[Finding]:
    """What a lamp that all cameras saw says about their stamps."""
    if len(streams) == 1:
        found = "one camera alone has no offset"
        return [Finding("flash", streams[0], "look", found, "needs two cameras at least")]
    if not offsets:
        found = f"no sudden change was seen by all of {', '.join(streams)}"
        advice = (
            "move a board before all lenses at once, two or three times, and hold still between "
            "(depth sees no lamp, thermal only a warm one)"
        )
        return [Finding("flash", "rig", "fail", found, advice)]
    return [_flash(offset) for offset in offsets]


def _processor(notes: TakeNotes) -> Finding:
    """How busy the machine was, with the take and with other programs."""
    share = notes.cpu_seconds / notes.seconds
    others = notes.others_cpu_seconds / notes.seconds
    found = (
        f"{share:.2f} cores busy with cameras and files, {others:.2f} with other programs, "
        f"of {notes.cores}"
    )
    advice = 'fewer other programs, color_codec = "jpeg95", or a faster machine'
    values = {
        "core_share": round(share, 3),
        "others_core_share": round(others, 3),
        "cores": notes.cores,
    }
    finding = Finding("processor", "rig", "look", found, advice, values)
    if (share + others) / notes.cores > _BUSY_LOOK and share / notes.cores <= _BUSY_LOOK:
        return finding  # others may be in the way, or yield to cameras
    return graded(finding, share / notes.cores, passes=_BUSY_PASS, looks=_BUSY_LOOK)


def _queue(notes: StreamNotes, queue_frames: int) -> Finding:
    """How close a stream came to losing frames for want of a faster disk."""
    is_full = any(cause == "queue" for _, cause in notes.drops)
    fill = _OVERFLOWN if is_full else notes.most_queued / queue_frames
    found = f"at most {notes.most_queued} of {queue_frames} frames waited for the disk"
    values: dict[str, float] = {"most_queued": notes.most_queued}
    finding = Finding("queue", notes.info.stream, "look", found, LOSS_ADVICE["queue"], values)
    return graded(finding, fill, passes=_QUEUE_PASS, looks=1.0)


def _phase(where: str, one: ExposureTimes, other: ExposureTimes) -> Finding:
    phase = exposure_phase(one, other)
    if phase is None:
        found = "rates differ, so that exposures have no phase"
        return Finding("phase", where, "look", found, "fine without a trigger")
    found = (
        f"{phase.now_ms:+.1f} ms, drifts by {phase.drift_ms_a_minute:+.2f} ms a minute "
        f"(give or take {phase.drift_bound_ms_a_minute:.2f}), scatters by {phase.scatter_ms:.2f} ms"
    )
    period_ms = float(np.median(np.diff(one.host_ns))) / _NS_PER_MS
    result, advice = _is_held(phase, period_ms)
    values = {
        "phase_ms": round(phase.now_ms, 3),
        "most_ms": round(phase.most_ms, 3),
        "drift_ms_a_minute": round(phase.drift_ms_a_minute, 4),
        "drift_bound_ms_a_minute": round(phase.drift_bound_ms_a_minute, 4),
        "scatter_ms": round(phase.scatter_ms, 3),
    }
    return Finding("phase", where, result, found, advice, values)


def _is_held(phase: ExposurePhase, period_ms: float) -> tuple[Result, str]:
    """Whether a trigger holds two cameras together, as far as can be seen."""
    if phase.scatter_ms > _SCATTER_SHARE * period_ms:
        return "look", "stamps are too uneven to see a trigger"
    if phase.is_drifting:
        return "look", "they run freely: fine without a trigger; with one, it does not reach both"
    if phase.drift_bound_ms_a_minute > _HELD_MS_A_MINUTE:
        return "look", "a trigger, or crystals that are alike: look longer (--seconds 300)"
    return "pass", "held together, as by a trigger"


def _flash(offset: FlashOffset) -> Finding:
    found = (
        f"{offset.offset_ms:+.1f} ms after {offset.reference} by its stamps, give or take "
        f"{offset.uncertainty_ms:.1f} ms ({offset.flashes} seen)"
    )
    values = {
        "offset_ms": round(offset.offset_ms, 3),
        "uncertainty_ms": round(offset.uncertainty_ms, 3),
        "flashes": offset.flashes,
    }
    if not offset.agree:
        advice = "they do not agree on one offset: be quicker, at all lenses at once, and repeat"
        return Finding("flash", offset.stream, "look", found, advice, values)
    if abs(offset.offset_ms) > offset.uncertainty_ms:
        advice = (
            f"if the stamps of {offset.reference} are right, add {offset.offset_ms / 1000:.4f} to "
            f"this camera's delay_seconds, where its driver has it"
        )
        return Finding("flash", offset.stream, "look", found, advice, values)
    return Finding("flash", offset.stream, "pass", found, values=values)
