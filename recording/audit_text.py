"""The report of an audit for people: a few lines a stream, and what is wrong at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mavfer.progress import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mavfer.study.session_files import FileReport
    from recording.audit_report import (
        AuditReport,
        ClockReport,
        GapReport,
        MarkersReport,
        StreamReport,
    )

__all__ = ["report_lines"]

_LISTED: Final = 3
"""Gaps and jumps that are listed of each stream; JSON has all."""
_SECONDS_A_MINUTE: Final = 60
_MB: Final = 1e6
_LONG_MS: Final = 1000
_FLAG_WORDS: Final = {
    "shutter": "with the shutter closed",
    "incomplete": "incomplete",
    "repeated": "repeated",
}
"""Flags that are counted for people; restarts are told as gaps."""
_CAUSES: Final = {
    "wrap": "counter rolled over",
    "step": "clock was set",
    "restart": "clock began anew",
}


def report_lines(report: AuditReport) -> Iterator[str]:
    """The lines of a report, widest things last."""
    yield f"{report.session}: {report.verdict}"
    for name, stream in report.streams.items():
        yield from _stream_lines(name, stream)
    if report.markers is not None and report.markers.count:
        yield _row("markers", _marker_words(report.markers))
    if report.streams:
        yield _row("files", _file_words(report.files))
    for stream_name, count in report.cut.items():
        if count:
            yield _row(stream_name, f"{counted(count, 'unfinished frame')} cut from the end")
    yield from (f"  note: {notice}" for notice in report.notices)
    yield from (f"  wrong: {problem}" for problem in report.problems)


def _row(name: str, words: str) -> str:
    return f"  {name:<8}{words}"


def _stream_lines(name: str, stream: StreamReport) -> Iterator[str]:
    rate = "" if stream.rate_hz is None else f", {stream.rate_hz:.2f} a second"
    yield _row(name, f"{counted(stream.frames, 'frame')}{rate}, {_loss_words(stream)}")
    flags = [f"{stream.flags[key]:,} {words}" for key, words in _FLAG_WORDS.items()
             if key in stream.flags]  # fmt: skip
    if flags:
        yield _row("", ", ".join(flags))
    if stream.clock is not None:
        yield from (_row("", words) for words in _clock_words(stream.clock))
    yield from (_row("", words) for words in _gap_words(stream.gaps))


def _loss_words(stream: StreamReport) -> str:
    """How many frames are missing and why, and how long nothing came at most."""
    causes = ", ".join(f"{count:,} {cause}" for cause, count in stream.causes.items())
    lost = f"{stream.drops:,} lost ({causes})" if stream.drops else "none lost"
    gap_ms = stream.longest_gap_ms
    if gap_ms is None:
        return lost
    is_long = gap_ms >= _LONG_MS
    return f"{lost}, longest wait {f'{gap_ms / 1000:.1f} s' if is_long else f'{gap_ms:.0f} ms'}"


def _clock_words(clock: ClockReport) -> Iterator[str]:
    if clock.fit is None:
        yield "clock: cannot be fitted"
    elif not clock.fit["is_usable"]:
        yield "no clock of its own: the times of its frames are those of their arrival"
    elif clock.domains == ("host",) and clock.fit["drift_ppm"] == 0:
        yield "clock: the host's own, by which its driver stamps the frames"
    else:
        fit = clock.fit
        middle, worst = fit["uncertainty_median_ms"], fit["uncertainty_max_ms"]
        sure = f"frames timed to {middle:.2f} ms (the worst to {worst:.2f})"
        yield f"clock: {fit['drift_ppm']:+.1f} ppm, {sure}"
        yield from _listed([_jump_words(piece) for piece in fit["pieces"][1:]])


def _jump_words(piece: Mapping[str, Any]) -> str:
    cause = _CAUSES[piece["cause"]]
    return f"  {cause} before frame {piece['first_frame']:,}: {piece['jump_ms']:+,.1f} ms"


def _gap_words(gaps: Sequence[GapReport]) -> Iterator[str]:
    words = [
        f"gap of {gap.seconds:.2f} s at {_clock_time(gap.at_seconds)} (frame {gap.after_frame:,}): "
        f"{_reason(gap)}"
        for gap in gaps
    ]
    return _listed(words)


def _reason(gap: GapReport) -> str:
    if gap.is_restart:
        return f"nothing came, about {counted(gap.frames, 'frame')}"
    return f"{counted(gap.frames, 'frame')} lost" if gap.frames else "frames came late, none lost"


def _marker_words(markers: MarkersReport) -> str:
    first, last = markers.first, markers.last
    if first is None or last is None:
        return "none"
    if markers.count == 1:
        return f"1, at {_clock_time(first.seconds)} ({first.label})"
    return (
        f"{markers.count:,}, from {_clock_time(first.seconds)} ({first.label}) "
        f"to {_clock_time(last.seconds)} ({last.label})"
    )


def _file_words(files: Mapping[str, FileReport]) -> str:
    """What became of the files; those that changed stand among what is wrong."""
    if not files:
        return "no hashes were recorded with the take"
    states = [file.state for file in files.values()]
    whole = states.count("as recorded") + states.count("not compared")
    size_mb = sum(file.bytes or 0 for file in files.values()) / _MB
    how = "of the size recorded, hashes left out" if "not compared" in states else "as recorded"
    return f"{whole} of {len(files)} {how} ({size_mb:,.1f} MB)"


def _listed(words: Sequence[str]) -> Iterator[str]:
    """The first few, and how many more there are."""
    yield from words[:_LISTED]
    if len(words) > _LISTED:
        yield f"{len(words) - _LISTED:,} more; --json has them all"


def _clock_time(seconds: float) -> str:
    """A moment of the take, as minutes and seconds; minus where it is before its first frame."""
    minutes, rest = divmod(round(abs(seconds), 1), _SECONDS_A_MINUTE)
    return f"{'-' if seconds < 0 else ''}{minutes:.0f}:{rest:04.1f}"
