"""Whole takes of the simulated rig through librealsense, GigE Vision and V4L2.

What is sent is known frame by frame: all of it must be on the disk, or be listed with its number
and cause.
"""

from __future__ import annotations

import sys

import numpy as np
import pytest
import shim
from gige_server import GigeServer
from journey import Journey, shift_between, true_crops
from served_rig import (
    RATES_HZ,
    TELEMETRY_COUNT,
    FaultyRig,
    VideoTake,
    draw_video_files,
    record_served,
)

from mavfer.cli import run
from mavfer.errors import Busy, CommandError, DeviceError
from mavfer.files import read_json
from mavfer.study.session import Session
from mavfer.study.streams_file import DROP_CAUSES
from mavfer.study.study import Study
from mavfer.study.truth import read_truth
from mavfer.vision.geometry import Calibration
from mavfer.vision.mean_face import STABLE_POINTS
from recording.camera import FrameFlag
from recording.rigs import open_rig

SEED = 5
STREAMS = ("color", "depth", "thermal")
MISSING_DEPTH = (12, 13, 14)
LOST_SHARE = 0.002
STALL_SECONDS = 2.0
VIDEO_SECONDS = 4.2
OPENING_SECONDS = 3.0
"""V4L2 devices send from their opening on, which takes a while on a busy machine."""


class IdleServer(GigeServer):
    """Something that says it is a camera, and hears nothing."""

    command = (sys.executable, "-c", 'print(\'{"problem": ""}\')')


class BrokenServer(GigeServer):
    """A camera that cannot be switched on."""

    command = (sys.executable, "-c", 'print(\'{"problem": "no libaravis"}\')')


def make_study(root, *subjects):
    study = Study.create(root / "study")
    form = root / "form.pdf"
    form.write_text("signed")
    for subject in subjects:
        study.write_consent(subject, form, form_version="1", scope=["record"])
    return study


@pytest.fixture(scope="module")
def sdks(gige_address):
    """Librealsense and Aravis, or a skip with the reason."""
    reason = "pyrealsense2 or libusb-1.0-0 is not installed"
    pytest.importorskip("pyrealsense2", reason=reason, exc_type=ImportError)


@pytest.fixture(scope="module")
def served(sdks, tmp_path_factory):
    """Color and depth over librealsense, thermal over GigE Vision, nothing wrong."""
    study = make_study(tmp_path_factory.mktemp("served"))
    rates_hz = {"color": 15, "depth": 15, "thermal": 12.5}
    sizes = {"color": (480, 360), "depth": (400, 300), "thermal": (240, 192)}
    with FaultyRig(SEED, seconds=2.6, rates_hz=rates_hz, sizes=sizes) as rig:
        return record_served(study, rig, "S01")


@pytest.fixture(scope="module")
def faulty(sdks, tmp_path_factory):
    """The same with packets that fall and with frames of depth that are counted and never sent."""
    study = make_study(tmp_path_factory.mktemp("faulty"))
    rates_hz = {"color": 15, "depth": 15, "thermal": 25}
    sizes = {"color": (160, 120), "depth": (160, 120), "thermal": (320, 256)}
    faults = {"missing_depth": MISSING_DEPTH, "lost_share": LOST_SHARE}
    with FaultyRig(SEED, seconds=2.2, rates_hz=rates_hz, sizes=sizes, **faults) as rig:
        return record_served(study, rig, "S01")


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Color and thermal over V4L2: nothing wrong, an unplugged camera, a stalled one; all at once.

    The shim lives in the process that it is preloaded into, so another process records.
    """
    folder = tmp_path_factory.mktemp("videos")
    library, files = (
        shim.build(folder),
        draw_video_files(folder, SEED, VIDEO_SECONDS + OPENING_SECONDS),
    )
    faults = {
        "whole": {"telemetry": 1, "height": 122},
        "unplugged": {"unplug_at": 3, "replug_ms": 300},
        "stalled": {"stall_at": 3, "stall_ms": int(STALL_SECONDS * 1000)},
    }
    study = make_study(folder, *(f"S0{number}" for number in range(3)))
    devices, takes = [], []
    for number, fault in enumerate(faults.values()):
        color, thermal = (f"/dev/video{10 * number + last}" for last in (1, 2))
        devices.append(files.device("color", color))
        arms = folder / f"armed{number}"
        devices.append(files.device("thermal", thermal, armed_by=arms, **fault))
        radiometry = {} if "telemetry" in fault else {"radiometry": "lepton-tlinear-high"}
        takes.append(
            {
                "study": str(study.root),
                "subject": f"S0{number}",
                "seconds": VIDEO_SECONDS,
                "arms": str(arms),
                "color": {"source": color},
                "thermal": {"source": thermal, **radiometry},
            }
        )
    told = shim.record(library, folder, devices, takes)
    out = shim.handed_out(folder / "log")
    return {
        fault: VideoTake.of(
            what, out[take["color"]["source"]], out[take["thermal"]["source"]], files
        )
        for fault, what, take in zip(faults, told, takes, strict=True)
    }


def require_all_stored_or_listed(take, stream):
    """What the network loses at the very end, nobody can know of: no later frame tells."""
    numbers, _, _ = take.stored(stream)
    listed = take.listed(stream)
    known = range(numbers[0], max([*numbers, *listed]) + 1)
    sent = [number for number in take.sent[stream] if number <= known[-1]]

    assert len(take.sent[stream]) - len(sent) <= (stream == "thermal")
    assert sent[0] == numbers[0] or sent[0] in listed
    assert sorted([*numbers, *listed]) == list(known)
    assert set(numbers) <= set(sent) <= {*numbers, *listed}


@pytest.mark.parametrize("stream", STREAMS)
def test_every_frame_sent_through_the_sdks_is_stored_or_listed(served, stream):
    require_all_stored_or_listed(served, stream)
    times = served.session.times(stream)

    assert len(times) > 20
    assert (np.diff(times["device_ns"]) > 0).all()
    assert (np.diff(times["host_ns"]) > 0).all()
    assert served.report.verdict == "ok", served.report.problems


@pytest.mark.parametrize("stream", ["depth", "thermal"])
def test_depth_and_thermal_come_through_the_sdks_bit_for_bit(served, stream):
    numbers, flags, pixels = served.stored(stream)

    assert set(flags) <= {0, FrameFlag.INCOMPLETE}
    for number, flag, counts in zip(numbers, flags, pixels, strict=True):
        is_other = counts != served.pixels[stream][number]
        assert not is_other.any() or flag == FrameFlag.INCOMPLETE, number


def test_color_comes_through_the_sdk_within_the_codec_s_error(served):
    numbers, _, pixels = served.stored("color")
    sent = {number: served.pixels["color"][number].astype(int) for number in numbers}
    errors, errors_of_next = [], []
    for number, following, picture in zip(numbers, numbers[1:], pixels, strict=False):
        errors.append(np.abs(picture - sent[number]).mean())
        errors_of_next.append(np.abs(picture - sent[following]).mean())

    assert served.session.document["streams"]["color"]["codec"] == "h264"
    assert max(errors) < 5  # grey levels, most of which is the sensor's noise
    assert (np.array(errors) < errors_of_next).all()


def test_the_device_s_own_calibration_is_the_rig_s(served):
    root = served.session.folder.parent.parent
    document = read_json(Study.open(root).calibration_path(served.session.calibration))
    true, told = Calibration.from_document(document), Calibration.from_document(served.factory)

    assert document["method"] == "simulated"
    for wanted, found in ((true.color, told.color), (true.depth, told.depth)):
        assert np.allclose(found.matrix, wanted.matrix, atol=1e-3)
        assert np.allclose(found.distortion, wanted.distortion, atol=1e-6)
        assert np.allclose(found.camera_from_color, wanted.camera_from_color, atol=1e-3)


def test_what_the_cameras_say_of_units_and_clocks_is_stored(served):
    streams = served.session.document["streams"]
    models = {streams[stream]["model"] for stream in STREAMS}
    truth = read_truth(served.session.folder / "truth.h5").members

    assert (served.session.document["kind"], models) == ("simulated", {"simulated"})
    assert streams["depth"]["depth_mm_per_count"] == 0.25
    assert streams["thermal"]["radiometry"]["kelvin_per_count"] == 0.04
    assert streams["thermal"]["settings"]["features"]["TemperatureLinearMode"] == "On"
    for stream in STREAMS:
        times = served.session.times(stream)
        at = np.searchsorted(truth[f"/{stream}/frame_number"], times["frame_number"])
        true_ns = truth[f"/{stream}/device_ns"][at]
        strayed_ns = np.diff(times["device_ns"].astype(np.int64)) - np.diff(true_ns)
        assert np.abs(strayed_ns).max() <= 2000  # both SDKs stamp in whole microseconds
        assert np.array_equal(
            times["exposure_ns"], truth[f"/{stream}/exposure_ns"][at] // 2000 * 2000
        )
        late_ms = (times["host_ns"].astype(np.int64) - truth[f"/{stream}/true_ns"][at]) / 1e6
        assert late_ms.min() > 0


@pytest.fixture(scope="module")
def served_journey(served):
    """The take as a shard."""
    root = served.session.folder.parent.parent
    assert run(["preprocess", str(root)]) == 0
    assert run(["check", str(root)]) == 0
    return Journey(root)


def test_landmarks_from_the_sdks_are_where_the_face_was(served, served_journey):
    name = served.session.name
    rec, members = served_journey.dataset[name], served_journey.truth(name).members
    at = np.searchsorted(members["/color/frame_number"], served.stored("color")[0])
    true = members["/color/landmarks"][at]
    apart = (rec.landmarks - true)[:, list(STABLE_POINTS)].mean(axis=1)
    percent = (
        100 * np.linalg.norm(apart, axis=1) / np.linalg.norm(true[:, 36] - true[:, 45], axis=1)
    )

    assert rec.usable.mean() >= 0.99
    assert np.nanmedian(percent) <= 1.5
    assert np.nanpercentile(percent, 95) <= 3


def test_depth_and_temperature_from_the_sdks_lie_on_the_face(served, served_journey):
    name = served.session.name
    rec = served_journey.dataset[name]
    frames = np.flatnonzero(rec.usable)[6::9].tolist()  # thermal begins a little later than color
    found = [
        errors_on_face(rec, frame, true)
        for frame, true in true_crops(served_journey, name, frames).items()
    ]
    depth_mm, depth_shift, celsius, thermal_shift = np.median(found, axis=0)

    assert depth_mm <= 2
    assert depth_shift <= 1
    assert celsius <= 0.15
    assert thermal_shift <= 1


def errors_on_face(rec, frame, true):
    """Errors and shifts of the depth and of the temperature of one frame's crop."""
    depth, raw = rec.depth[frame].astype(np.float32), rec.thermal[frame]
    celsius = raw / 100 - 273.15
    seen = {"depth": true.hull & (depth > 0), "thermal": true.hull & (raw > 0)}
    return (
        np.median(np.abs(depth - true.depth_mm)[seen["depth"]]),
        shift_between(depth, true.depth_mm, true.hull, depth > 0, limit=3.0),
        np.median(np.abs(celsius - true.celsius)[seen["thermal"]]),
        shift_between(celsius, true.celsius, true.hull, raw > 0, limit=0.6),
    )


@pytest.mark.parametrize("stream", STREAMS)
def test_faults_of_one_camera_cost_the_others_nothing(faulty, stream):
    require_all_stored_or_listed(faulty, stream)
    is_untouched = stream == "color"

    assert faulty.report.verdict == "ok", faulty.report.problems
    assert bool(faulty.listed(stream)) <= (not is_untouched)


def test_a_gap_in_the_count_of_depth_is_listed_number_by_number(faulty):
    assert faulty.listed("depth") == dict.fromkeys(MISSING_DEPTH, DROP_CAUSES["device"])
    assert not set(MISSING_DEPTH) & set(faulty.sent["depth"])


def test_what_two_in_a_thousand_lost_packets_cost_is_told_frame_by_frame(faulty):
    numbers, flags, pixels = faulty.stored("thermal")
    torn = [number for number, flag in zip(numbers, flags, strict=True) if flag]

    assert torn or faulty.listed("thermal")
    assert set(faulty.listed("thermal").values()) <= {DROP_CAUSES["link"]}
    for number, flag, counts in zip(numbers, flags, pixels, strict=True):
        is_missing = counts != faulty.pixels["thermal"][number]
        assert not is_missing.any() or flag == FrameFlag.INCOMPLETE
        assert not counts[is_missing].any()  # zeros, and no older frame's pixels


def test_color_of_a_lossless_codec_comes_through_the_sdk_bit_for_bit(faulty):
    numbers, _, pixels = faulty.stored("color")

    assert faulty.session.document["streams"]["color"]["codec"] == "x264-lossless"
    for number, picture in zip(numbers, pixels, strict=True):
        assert np.array_equal(picture, faulty.pixels["color"][number])


@pytest.mark.parametrize("fault", ["whole", "unplugged", "stalled"])
def test_every_frame_of_v4l2_color_is_stored_bit_for_bit_whatever_thermal_does(videos, fault):
    take = videos[fault]

    assert take.verdict == "ok"
    assert take.failures == {}
    take.require_whole("color", numbers_from=0)
    assert take.listed("color") == {}
    assert len(take.stamps_us("color")) > 2 * RATES_HZ["color"]


def test_every_frame_of_v4l2_thermal_is_stored_bit_for_bit_by_its_telemetry(videos):
    take = videos["whole"]

    take.require_whole("thermal", numbers_from=TELEMETRY_COUNT)
    assert take.listed("thermal") == {}
    assert take.session.details("thermal")[0][0] == "uptime_ms"


def test_a_stall_of_two_seconds_is_told_and_nothing_is_lost_by_it(videos):
    take = videos["stalled"]
    gaps = np.diff(take.stamps_us("thermal")) / 1e6

    take.require_whole("thermal", numbers_from=0)
    assert take.listed("thermal") == {}
    assert gaps.max() == pytest.approx(STALL_SECONDS + 1 / RATES_HZ["thermal"], abs=0.01)
    assert take.events("thermal") == ["camera_stalled", "camera_back"]


def test_an_unplugged_v4l2_camera_comes_back_in_the_same_take(videos):
    take = videos["unplugged"]
    flags = take.session.times("thermal")["flags"]
    (restart,) = np.flatnonzero(flags == FrameFlag.RESTARTED)

    assert take.events("thermal") == ["camera_lost", "camera_back"]
    assert 0 < restart < len(flags) - 5
    take.require_stretch("thermal", 0, restart)
    take.require_stretch("thermal", restart, len(flags))
    assert take.listed("thermal") == {}
    assert (np.diff(take.session.times("thermal")["frame_number"]) > 0).all()


def test_the_served_rig_is_recorded_by_its_name(sdks, tmp_path):
    study = make_study(tmp_path)
    sizes = [f"--size={stream}=160x120" for stream in STREAMS]
    words = ["record", str(study.root), "--subject=S01", "--rig=served", "--seconds=1", *sizes]
    status = run([*words, "--rate=thermal=12.5"])
    session = Session.open(study.session_folder("S01-001"))

    assert status == 0
    assert (session.state, session.document["kind"]) == ("finished", "simulated")
    assert session.document["settings"]["rig"] == "served"
    assert all(len(session.times(stream)) > 8 for stream in STREAMS)
    assert session.truth_path.is_file()


def test_a_served_rig_is_asked_for_what_it_can_and_switched_on_first():
    with pytest.raises(
        CommandError, match=r"in memory, 21 seconds of these sizes .*a shorter take"
    ):
        open_rig("served", seconds=22)
    with pytest.raises(CommandError, match="rig served: has no option --pace"):
        open_rig("served", seconds=1, pace="fast")
    with pytest.raises(CommandError, match="lighting 'dim'"):
        open_rig("served", seconds=1, lighting="dim")
    rig = open_rig("served", seconds=1, take=2, subject_code="S01")
    with pytest.raises(DeviceError, match=r"is not switched on\. Use it as a context"):
        _ = rig.cameras


def test_the_one_address_of_served_gige_cameras_is_not_shared():
    second = IdleServer()
    second.patience_seconds = 0.0
    with IdleServer() as first:
        with pytest.raises(Busy, match=r"a GigE camera is served by another process"):
            second.switch_on()
        first.kill()
        with pytest.raises(Busy, match="is served"):
            second.switch_on()
    second.patience_seconds = first.patience_seconds
    with second:
        pass


def test_a_served_gige_camera_that_is_not_there_is_told():
    with pytest.raises(DeviceError, match=r"cannot be switched on \(no libaravis\)\. Install Arav"):
        BrokenServer().switch_on()
    with pytest.raises(DeviceError, match=r"is switched off\. Call switch_on\(\)"):
        GigeServer().sent()
    with IdleServer() as server, pytest.raises(DeviceError, match="has died"):
        server.sent()
