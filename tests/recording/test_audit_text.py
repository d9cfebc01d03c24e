"""An audit's report as people read it on a terminal."""

from __future__ import annotations

import pytest

from mavfer.study.session_files import FileReport
from recording.audit_report import (
    AuditReport,
    ClockReport,
    GapReport,
    MarkerReport,
    MarkersReport,
    StreamReport,
)
from recording.audit_text import report_lines

FIT = {
    "drift_ppm": -12.34,
    "is_usable": True,
    "uncertainty_median_ms": 0.031,
    "uncertainty_max_ms": 0.12,
    "pieces": [{"first_frame": 0, "cause": "start", "jump_ms": 0.0}],
}


def _stream(**changes):
    facts = {
        "frames": 18_000,
        "drops": 0,
        "causes": {},
        "flags": {},
        "rate_hz": 30.0012,
        "longest_gap_ms": 36.7,
        "gaps": (),
        "clock": ClockReport(("device",), FIT, None),
    }
    return StreamReport(**{**facts, **changes})


def _report(stream, **changes):
    facts = {
        "session": "S01-001",
        "verdict": "ok",
        "streams": {"depth": stream},
        "markers": MarkersReport(0, None, None, is_in_order=True, outside=0),
        "files": {"streams.h5": FileReport("as recorded", 2_500_000, "ab")},
        "problems": (),
        "notices": (),
        "cut": {},
    }
    return list(report_lines(AuditReport(**{**facts, **changes})))


def test_a_whole_take_is_told_in_two_lines_a_stream():
    assert _report(_stream()) == [
        "S01-001: ok",
        "  depth   18,000 frames, 30.00 a second, none lost, longest wait 37 ms",
        "          clock: -12.3 ppm, frames timed to 0.03 ms (the worst to 0.12)",
        "  files   1 of 1 as recorded (2.5 MB)",
    ]


def test_what_was_lost_comes_with_its_causes_and_flags():
    lines = _report(
        _stream(
            drops=1003,
            causes={"device": 3, "queue": 1000},
            flags={"shutter": 25, "incomplete": 2, "restarted": 1},
        )
    )

    assert lines[1].endswith("1,003 lost (3 device, 1,000 queue), longest wait 37 ms")
    assert lines[2] == "          25 with the shutter closed, 2 incomplete"


def test_the_first_gaps_and_jumps_are_listed_and_the_rest_is_counted():
    gaps = [GapReport(n, 61.5 + n, 2.04, 59, is_restart=n == 0) for n in range(5)]
    gaps[1] = GapReport(900, 90.0, 0.8, 0, is_restart=False)
    steps = [{"first_frame": 4000, "cause": "step", "jump_ms": 50.0}]
    clock = ClockReport(("device",), {**FIT, "pieces": [*FIT["pieces"], *steps * 4]}, None)
    lines = _report(_stream(gaps=tuple(gaps), clock=clock))[3:-1]

    assert [line.strip() for line in lines] == [
        *["clock was set before frame 4,000: +50.0 ms"] * 3,
        "1 more; --json has them all",
        "gap of 2.04 s at 1:01.5 (frame 0): nothing came, about 59 frames",
        "gap of 0.80 s at 1:30.0 (frame 900): frames came late, none lost",
        "gap of 2.04 s at 1:03.5 (frame 2): 59 frames lost",
        "2 more; --json has them all",
    ]


@pytest.mark.parametrize(
    ("clock", "says"),
    [
        (ClockReport(("device",), None, "stamps jump"), "clock: cannot be fitted"),
        (
            ClockReport(("host",), {**FIT, "drift_ppm": 0.0}, None),
            "clock: the host's own, by which its driver stamps the frames",
        ),
        (
            ClockReport(("arrival",), {**FIT, "is_usable": False}, None),
            "no clock of its own: the times of its frames are those of their arrival",
        ),
    ],
)
def test_a_clock_of_no_use_is_no_number(clock, says):
    assert _report(_stream(clock=clock))[2].strip() == says


def test_marks_are_told_by_the_first_and_the_last():
    first, last = MarkerReport("video 1", -0.25), MarkerReport("rest", 599.97)
    several = MarkersReport(1200, first, last, is_in_order=True, outside=1)
    single = MarkersReport(1, last, last, is_in_order=True, outside=0)

    assert _report(_stream(), markers=several)[3] == (
        "  markers 1,200, from -0:00.2 (video 1) to 10:00.0 (rest)"
    )
    assert _report(_stream(), markers=single)[3] == "  markers 1, at 10:00.0 (rest)"


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({}, "no hashes were recorded with the take"),
        (
            {
                "a.h5": FileReport("not compared", 10, None),
                "b.h5": FileReport("missing", None, None),
            },
            "1 of 2 of the size recorded, hashes left out (0.0 MB)",
        ),
        ({"a.h5": FileReport("changed", 3_000_000, "cd")}, "0 of 1 as recorded (3.0 MB)"),
    ],
)
def test_files_are_told_by_what_was_compared(files, says):
    assert _report(_stream(), files=files)[-1] == f"  files   {says}"


def test_what_was_cut_what_to_know_and_what_is_wrong_come_last():
    lines = _report(
        _stream(),
        verdict="damaged",
        cut={"color": 12, "depth": 0, "thermal": 1},
        notices=("markers: 1 outside",),
        problems=("color.mkv: gone",),
    )

    assert lines[-4:] == [
        "  color   12 unfinished frames cut from the end",
        "  thermal 1 unfinished frame cut from the end",
        "  note: markers: 1 outside",
        "  wrong: color.mkv: gone",
    ]


def test_a_session_whose_stamps_are_gone_has_its_reason_alone():
    lines = _report(_stream(), verdict="damaged", streams={}, markers=None, problems=("torn",))

    assert lines == ["S01-001: damaged", "  wrong: torn"]
