"""What a collector is told while a take goes on."""

from __future__ import annotations

import math
import threading

import pytest
from counting_rig import CountingRig

from recording.cli_progress import TakeDisplay, hashing_bar, take_lines
from recording.recorder import TakeProgress

NO_DROPS = {"color": 0, "depth": 0, "thermal": 0}


def _progress(**changes):
    facts = {
        "frames": {"color": 900, "depth": 897, "thermal": 750},
        "drops": NO_DROPS,
        "most_queued": NO_DROPS,
        "troubles": {},
        "room_seconds": 3600.0,
        "session": "S01-001",
    }
    return TakeProgress(**{**facts, **changes})


@pytest.fixture
def stop():
    return threading.Event()


@pytest.fixture
def display(stop):
    """Of a take of ten minutes; nobody watches a terminal."""
    with TakeDisplay(CountingRig(), 600, stop, "what to do", ends_itself=False) as shown:
        yield shown


def _told(capsys):
    """Lines since the last call, without the time of the take."""
    return [line.removeprefix("0:00 ") for line in capsys.readouterr().err.splitlines()]


def test_the_beginning_says_what_is_recorded_and_that_nobody_calibrated(display, capsys):
    display.show(_progress())
    display.show(_progress())

    assert _told(capsys) == [
        "S01-001: recording 10:00 with rig counting",
        "  color   simulated color-1, 64x48 at 30",
        "  depth   simulated depth-1, 64x48 at 30",
        "  thermal simulated thermal-1, 64x48 at 25",
        "no calibration: depth and thermal cannot be placed on color later",
        "what to do",
    ]


def test_troubles_are_told_once_and_so_is_their_end(display, capsys):
    display.show(_progress())
    _told(capsys)
    for troubles in ({}, {"depth": "lost: x"}, {"depth": "lost: x"}, {"color": "lost: y"}, {}, {}):
        display.show(_progress(troubles=troubles))

    assert _told(capsys) == [
        "depth: lost: x",
        "color: lost: y",
        "depth: all right again",
        "color: all right again",
    ]


def test_a_disk_that_will_not_hold_out_is_told_once_until_there_is_clearly_room(display, capsys):
    display.show(_progress())
    _told(capsys)
    for room_seconds in (601.0, 300.0, 299.0, 610.0, 590.0, 900.0):
        display.show(_progress(room_seconds=room_seconds))

    assert _told(capsys) == [
        "disk: room for 5 min; the take is ended when it is used up",
        "disk: all right again",
    ]


def test_the_end_that_was_asked_for_is_told_at_once(display, stop, capsys):
    display.show(_progress())
    _told(capsys)
    stop.set()
    display.show(_progress())
    display.show(_progress())

    assert _told(capsys) == ["ending the take; everything up to here is kept"]


def test_where_nobody_watches_a_line_comes_now_and_then(display, capsys, monkeypatch):
    monkeypatch.setattr("recording.cli_progress._SECONDS_BETWEEN_LINES", 0.0)
    display.show(_progress())
    display.show(_progress(drops=NO_DROPS | {"depth": 3}, marks=2))

    assert _told(capsys)[-1] == (
        "S01-001: 0:00 of 10:00, color 900, depth 897, thermal 750 frames, 3 lost, "
        "disk for 1 h 0 min, 2 marks"
    )


def test_frames_say_how_far_a_rig_is_that_counts_them(stop, capsys, monkeypatch):
    monkeypatch.setattr("recording.cli_progress._SECONDS_BETWEEN_LINES", 0.0)
    with TakeDisplay(CountingRig(), 600, stop, "", ends_itself=True) as shown:
        shown.show(_progress(room_seconds=math.inf))
        shown.show(_progress(drops=NO_DROPS | {"color": 30}, room_seconds=math.inf))

    assert "S01-001: 0:31 of 10:00, " in _told(capsys)[-1]


def test_a_terminal_shows_a_bar_and_a_line_a_stream(stop, capsys, monkeypatch):
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with TakeDisplay(CountingRig(), 600, stop, "", ends_itself=False) as shown:
        shown.show(_progress(troubles={"depth": "lost: x"}))
    text = capsys.readouterr().err

    assert text.startswith("rig counting: opening the cameras\n")
    assert "S01-001 0:00 of 10:00 |" in text
    assert "| disk for 1 h 0 min" in text
    assert "  depth         897 frames     0.0 a second, none lost; NO FRAMES (lost: x)" in text
    assert "depth: lost: x\a" in text


def test_the_line_of_a_stream_says_which_share_is_lost():
    progress = _progress(drops=NO_DROPS | {"depth": 3})
    rates_hz = {"color": 30.0, "depth": 29.9, "thermal": 25.0}

    assert list(take_lines(progress, rates_hz)) == [
        "  color         900 frames    30.0 a second, none lost",
        "  depth         897 frames    29.9 a second, 3 lost (0.3 %)",
        "  thermal       750 frames    25.0 a second, none lost",
    ]


@pytest.mark.parametrize(
    ("size_bytes", "told"),
    [
        (1_000_000, ""),
        (3 * 10**10, "S01-001: hashing 30.0 GB; Ctrl-C leaves that to mavfer audit\n"),
    ],
)
def test_only_long_hashing_is_told(size_bytes, told, capsys):
    with hashing_bar("S01-001", size_bytes, "; Ctrl-C leaves that to mavfer audit") as advance:
        advance(size_bytes)

    assert capsys.readouterr().err == told
