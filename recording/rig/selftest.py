"""What a lab checks once with its cameras, because nothing else can show it.

The cameras run as in a take, files and all, and nothing is kept. What a simulated camera shows here
is that the test works; of real USB bandwidth, triggers and shutters it says nothing.
"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from recording.rig.description import Storage
from recording.rig.flash import find_changes, flash_offsets, match_changes
from recording.rig.phases import exposure_times
from recording.rig.rig_checks import check_flashes, check_machine, check_pairs
from recording.rig.stream_checks import check_stream
from recording.rig.watching import watch_take

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from mavfer.streams import StreamName
    from recording.camera import Rig
    from recording.recorder import TakeProgress
    from recording.rig.findings import Finding
    from recording.rig.flash import Change
    from recording.rig.phases import ExposureTimes
    from recording.rig.watching import StreamNotes, TakeNotes

__all__ = ["FLASH_WAIT_SECONDS", "SelftestReport", "run_selftest"]

FLASH_WAIT_SECONDS: Final = 60.0
"""How much longer than asked a test waits for a flash."""

_SIMULATED: Final = "simulated"
_FEWEST_FOR_A_CLOCK: Final = 10
_MORE_SECONDS: Final = 5.0
_ENOUGH_FLASHES: Final = 3
"""After the first flash there is time for two more; the bound grows little narrower by others."""
_LOOK_SECONDS: Final = 0.5


@dataclass(frozen=True)
class SelftestReport:
    """What was found, worst last word first: `result`."""

    rig: str
    seconds: float
    findings: tuple[Finding, ...]
    simulated: tuple[StreamName, ...]
    """Streams whose cameras are simulated, so that nothing real was tried."""

    @property
    def result(self) -> str:
        """The worst result of any finding."""
        found = {finding.result for finding in self.findings}
        return next(result for result in ("fail", "look", "pass") if result in found)

    @property
    def unproven(self) -> tuple[str, ...]:
        """What the test could not show, in sentences."""
        told = []
        if self.simulated:
            told.append(
                f"{', '.join(self.simulated)}: simulated. Nothing was shown of USB bandwidth, "
                f"triggers, shutters or the clocks of real cameras."
            )
        if not any(finding.check == "flash" and finding.values for finding in self.findings):
            told.append(
                "How long each camera takes from exposure to its stamp was not measured: --flash."
            )
        return tuple(told)

    def to_document(self) -> dict[str, Any]:
        """The report as JSON."""
        return {
            "rig": self.rig,
            "seconds": round(self.seconds, 2),
            "result": self.result,
            "findings": [asdict(finding) for finding in self.findings],
            "simulated": list(self.simulated),
            "unproven": list(self.unproven),
        }


def run_selftest(
    rig: Rig,
    *,
    seconds: float = 20.0,
    with_flash: bool = False,
    folder: Path | None = None,
    stop: threading.Event | None = None,
    tell: Callable[[str], None] | None = None,
    progress: Callable[[TakeProgress], None] | None = None,
) -> SelftestReport:
    """Watches the cameras of a rig, and says what is well and what is not.

    Args:
        rig: The cameras, which must give frames in real time.
        seconds: How long they are watched.
        with_flash: Wait until all streams saw a board or a lamp, for a minute more at most.
        folder: Where frames are written meanwhile; the system's temporary folder where None.
        stop: Ends the test early when it is set.
        tell: Gets a line that says when to give a flash.
        progress: Called while cameras are watched, as of a take.

    Raises:
        CommandError: The rig does not run in real time.
        DeviceError: A camera cannot be opened.
        MissingExtra: What drives a camera or writes color is not installed.
        DataError: The disk has no room.
    """
    storage: Storage = getattr(rig, "storage", Storage())
    may_end = _FlashWatch(time.monotonic() + seconds + FLASH_WAIT_SECONDS) if with_flash else None
    if tell is not None and with_flash:
        tell(
            "flash: now move a board before all lenses at once, two or three times, a second apart"
        )
    notes = watch_take(
        rig,
        storage,
        seconds=seconds,
        folder=folder,
        stop=stop,
        may_end=may_end,
        progress=progress,
    )
    times = _times_of(notes.streams)
    findings: list[Finding] = []
    for stream, each in notes.streams.items():
        findings += check_stream(each, times.get(stream), notes.calibration)
    findings += check_machine(notes)
    findings += check_pairs(times)
    if with_flash:
        offsets = flash_offsets(match_changes(_changes(notes.streams, times)))
        findings += check_flashes(offsets, list(notes.streams))
    return SelftestReport(rig.name, notes.seconds, tuple(findings), _simulated(notes))


class _FlashWatch:
    """Says that a test may end: enough flashes were seen, or were waited for too long."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._looked_at = 0.0

    def __call__(self, streams: Mapping[StreamName, StreamNotes]) -> bool:
        now = time.monotonic()
        if now < self._looked_at + _LOOK_SECONDS:
            return now >= self._deadline
        self._looked_at = now
        flashes = match_changes(_changes(streams, _times_of(streams)))
        if flashes:
            self._deadline = min(self._deadline, now + _MORE_SECONDS)
        return now >= self._deadline or len(flashes) >= _ENOUGH_FLASHES


def _times_of(streams: Mapping[StreamName, StreamNotes]) -> dict[StreamName, ExposureTimes]:
    """When each stream was exposed that has given enough frames to say so."""
    frames = {stream: notes.frames for stream, notes in streams.items()}
    return {
        stream: exposure_times(rows)
        for stream, rows in frames.items()
        if len(rows) >= _FEWEST_FOR_A_CLOCK
    }


def _changes(
    streams: Mapping[StreamName, StreamNotes], times: Mapping[StreamName, ExposureTimes]
) -> dict[StreamName, list[Change]]:
    """Sudden changes of light in each stream."""
    found: dict[StreamName, list[Change]] = {stream: [] for stream in streams}
    for stream, known in times.items():
        levels = streams[stream].frames["level"][: len(known.host_ns)]  # more may have come
        found[stream] = find_changes(known.host_ns, levels)
    return found


def _simulated(notes: TakeNotes) -> tuple[StreamName, ...]:
    return tuple(s for s, each in notes.streams.items() if each.info.model == _SIMULATED)
