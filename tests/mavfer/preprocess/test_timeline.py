"""Times of frames and their partners, from stamps written as a recorder writes them."""

from __future__ import annotations

import numpy as np
import pytest
from jsonschema import Draft202012Validator

from mavfer.errors import NotAligned
from mavfer.preprocess.timeline import align_times
from mavfer.schema import load_schema
from mavfer.study.session import Session
from mavfer.study.streams_file import CLOCK_DOMAINS, stamp_row
from mavfer.study.streams_writer import StreamsWriter

MS = 1_000_000
RATE_HZ = 30
PERIOD_NS = 1_000_000_000 // RATE_HZ


def times_of(count, *, start_ns=0):
    """Middle of the exposures on the host's clock."""
    return 10_000_000_000 + start_ns + np.arange(count, dtype=np.int64) * PERIOD_NS


def stamps_of(middle_ns, *, exposure_ns=10 * MS, drift_ppm=0.0, flags=None, domain="device"):
    """Rows of a camera whose clock drifts; frames arrive 2 to 5 ms after their exposure ends."""
    exposure = np.broadcast_to(exposure_ns, middle_ns.shape)
    delay = np.random.default_rng(1).uniform(2 * MS, 5 * MS, len(middle_ns)).astype(np.int64)
    arrival = middle_ns + exposure // 2 + delay
    device = (middle_ns - middle_ns[:1].sum()) * (1 - drift_ppm * 1e-6)
    flags = np.zeros(len(middle_ns), int) if flags is None else flags
    return [
        stamp_row(
            host_ns=int(arrival[n]),
            device_ns=int(device[n]),
            domain=CLOCK_DOMAINS[domain],
            frame_number=n,
            exposure_ns=int(exposure[n]),
            flags=int(flags[n]),
        )
        for n in range(len(middle_ns))
    ]


@pytest.fixture
def session_of(tmp_path):
    """Makes a session of stamps by stream; its frames are black."""

    def make(**stamps):
        others = [stream for stream in stamps if stream != "color"]
        path = tmp_path / "streams.h5"
        with StreamsWriter(path, "S01-001", dict.fromkeys(others, (4, 4))) as writer:
            for stream, rows in stamps.items():
                pixels = None if stream == "color" else np.zeros((4, 4), np.uint16)
                for row in rows:
                    writer.append_frame(stream, pixels, row)
        streams = {stream: {"rate_hz": RATE_HZ} for stream in stamps}
        return Session(tmp_path, {"session": "S01-001", "streams": streams})

    return make


def test_an_exposure_that_grows_is_no_drift(session_of):
    middle = times_of(600)
    exposure = np.linspace(2 * MS, 30 * MS, 600).astype(np.int64)
    timeline = align_times(session_of(color=stamps_of(middle, exposure_ns=exposure, drift_ppm=40)))
    error_ns = timeline.color_ns - middle

    assert timeline.report["color"]["fit"]["drift_ppm"] == pytest.approx(40, abs=20)
    assert np.ptp(error_ns) < 0.5 * MS
    assert 1.5 * MS < np.median(error_ns) < 3 * MS  # the shortest delay, which cannot be seen
    assert timeline.rate_hz == pytest.approx(RATE_HZ, rel=1e-4)


def test_each_color_frame_gets_the_nearest_frame_in_time(session_of):
    color, depth = times_of(90), times_of(90, start_ns=7 * MS)
    timeline = align_times(session_of(color=stamps_of(color), depth=stamps_of(depth)))
    pairing = timeline.pairings["depth"]

    assert pairing.index.tolist() == list(range(90))
    assert np.abs(pairing.gap_ns - 7 * MS).max() < 0.5 * MS
    assert np.array_equal(pairing.host_ns, timeline.color_ns + pairing.gap_ns)
    assert pairing.usable.all()


def test_color_frames_whose_partner_was_lost_have_none(session_of):
    color = times_of(90)
    is_lost = np.isin(np.arange(90), [20, 21, 22, 50, 89])
    timeline = align_times(session_of(color=stamps_of(color), thermal=stamps_of(color[~is_lost])))
    pairing = timeline.pairings["thermal"]
    missing = pairing.index < 0

    assert np.flatnonzero(missing).tolist() == [20, 21, 22, 50, 89]
    assert not pairing.usable[missing].any()
    assert set(pairing.host_ns[missing]) == {-1}
    assert set(pairing.gap_ns[missing]) == {0}
    assert timeline.report["thermal"]["pairing"]["missing"] == 5
    assert timeline.report["thermal"]["pairing"]["longest_hole_ms"] == pytest.approx(133, abs=2)


def test_frames_of_a_closed_shutter_are_paired_and_not_usable(session_of):
    color = times_of(30)
    flags = np.where(np.isin(np.arange(30), [4, 5]), 1, 0)
    flags[9] = 2
    timeline = align_times(
        session_of(color=stamps_of(color), thermal=stamps_of(color, flags=flags))
    )
    pairing = timeline.pairings["thermal"]

    assert (pairing.index >= 0).all()
    assert np.flatnonzero(~pairing.usable).tolist() == [4, 5, 9]
    assert pairing.flags[[4, 9]].tolist() == [1, 2]


def test_stamps_that_are_arrivals_are_taken_as_they_are(session_of):
    rows = stamps_of(times_of(30), drift_ppm=300, domain="arrival")
    timeline = align_times(session_of(color=rows))

    assert timeline.color_ns.tolist() == [int(row["host_ns"]) for row in rows]


def test_stamps_that_stand_still_give_way_to_the_arrivals(session_of):
    rows = stamps_of(times_of(30))
    for row in rows:
        row["device_ns"] = 7
    timeline = align_times(session_of(color=rows))

    assert timeline.report["color"]["fit"]["is_usable"] is False
    assert timeline.color_ns.tolist() == [int(row["host_ns"]) for row in rows]


@pytest.mark.parametrize("stream", ["color", "depth"])
def test_a_stream_without_frames_is_refused_by_name(session_of, stream):
    stamps = {"color": stamps_of(times_of(5)), "depth": stamps_of(times_of(5))}
    with pytest.raises(NotAligned, match=f"session S01-001, {stream}: no frames. Record the take"):
        align_times(session_of(**stamps | {stream: []}))


def test_a_wrong_stamp_costs_one_frame_and_keeps_the_order(session_of):
    rows = stamps_of(times_of(30))
    rows[12]["device_ns"] = 0
    timeline = align_times(session_of(color=stamps_of(times_of(30)), depth=rows))
    pairing = timeline.pairings["depth"]

    assert np.delete(pairing.index, 12).tolist() == np.delete(np.arange(30), 12).tolist()
    assert np.abs(np.delete(pairing.gap_ns, 12)).max() < 1.5 * MS
    assert (np.diff(pairing.host_ns[pairing.host_ns >= 0]) >= 0).all()


def test_a_clock_that_is_set_and_rolls_over_is_followed(session_of):
    middle = times_of(900)
    rows = stamps_of(middle, drift_ppm=30)
    for number, row in enumerate(rows):
        row["device_ns"] += (50 * MS if number >= 400 else 0) + 2**32 * 1000 - 20_000 * MS
        row["device_ns"] %= 2**32 * 1000
    timeline = align_times(session_of(color=rows))
    error_ns = timeline.color_ns - middle

    assert np.ptp(error_ns) < 0.5 * MS
    assert timeline.report["color"]["fit"]["bound_ms"] < 1


def test_the_report_is_what_the_format_of_shards_says(session_of):
    middle = times_of(300)
    restarted = stamps_of(middle, flags=np.where(np.arange(300) == 150, 8, 0))
    timeline = align_times(
        session_of(
            color=stamps_of(middle), depth=restarted, thermal=stamps_of(middle, domain="arrival")
        )
    )
    part = load_schema("shard")["properties"]["members"]["properties"]
    schema = part["/documents/synchronisation"]["properties"]["json"]
    fits = {stream: report["fit"] for stream, report in timeline.report.items()}

    Draft202012Validator(schema).validate(timeline.report)
    for fit in fits.values():
        described = schema["properties"]["depth"]["properties"]["fit"]["properties"]
        assert set(fit) == set(described)
    assert [piece["cause"] for piece in fits["depth"]["pieces"]] == ["start", "restart"]
    assert fits["color"]["uncertainty_max_ms"] < 1
    assert fits["thermal"]["is_usable"] is False
    assert fits["thermal"]["uncertainty_max_ms"] is None


def test_a_clock_that_jumps_all_the_time_is_refused_by_name(session_of):
    rows = stamps_of(times_of(90))
    for number, row in enumerate(rows):
        row["device_ns"] += number % 3 * number * 1000 * MS
    with pytest.raises(NotAligned, match=r"S01-001, depth: device stamps jump .* at frame \d+"):
        align_times(session_of(color=stamps_of(times_of(90)), depth=rows))


def test_one_frame_is_a_session_too(session_of):
    timeline = align_times(session_of(color=stamps_of(times_of(1)), depth=stamps_of(times_of(1))))

    assert timeline.rate_hz is None
    assert timeline.pairings["depth"].index.tolist() == [0]
