"""Thermal frames over real GVCP and GVSP packets, from a camera in a process of its own."""

from __future__ import annotations

import sys
import threading
import time
from types import SimpleNamespace

import numpy as np
import pytest
from gige_server import ADDRESS, EXPOSURE_US, HEIGHT, SERIAL, WIDTH, GigeServer, thermal_picture

from mavfer.errors import DeviceError, MissingExtra
from mavfer.study.session import Session
from mavfer.study.streams_file import DROP_CAUSES
from recording import thermal_gige
from recording.camera import ClockDomain, Frame, FrameFlag, LostFrame
from recording.gige import aravis
from recording.recorder import record_take
from recording.simulated import SimulatedRig
from recording.thermal_gige import GigeThermalCamera

FIRST, FRAMES = 65_510, 60
"""Block ids that wrap, after 65535, to 1."""


@pytest.fixture(scope="module")
def server(gige_address):
    with GigeServer() as running:
        yield running


@pytest.fixture
def serve(server):
    """Sets the camera to its first state, with options."""

    def start(**options):
        server.start(**options)
        return server

    return start


@pytest.fixture
def connect():
    """Opens a camera with options, in the place of the one before; closed at the end."""
    cameras = []

    def open_camera(**options):
        close()
        cameras.append(GigeThermalCamera(address=ADDRESS, **options))
        cameras[-1].open()
        return cameras[-1]

    def close():
        for camera in cameras:
            camera.close()

    yield open_camera
    close()


def read_until(camera, is_enough, seconds=20.0):
    """What the camera gives until `is_enough` of it is there."""
    items, end = [], time.monotonic() + seconds
    while not is_enough(items):
        assert time.monotonic() < end, f"{len(items)} items, {camera.link_statistics()}"
        item = camera.read(0.2)
        if item is not None:
            items.append(item)
    return items


def read_frames(camera, count):
    return read_until(camera, lambda items: len(items) >= count)


def test_a_camera_on_the_network_is_found_and_opened_by_its_serial(serve):
    serve()
    found = aravis.find_gige_cameras()
    camera = GigeThermalCamera(SERIAL)
    camera.open()
    camera.close()

    assert found == [aravis.GigeCamera("Aravis", "Fake", SERIAL, ADDRESS)]
    assert (camera.info.model, camera.info.serial) == ("Aravis Fake", SERIAL)
    assert (camera.info.width, camera.info.height, camera.info.rate_hz) == (WIDTH, HEIGHT, 100.0)


def test_a_choice_between_cameras_is_asked_for_by_their_names(gige_address, monkeypatch):
    def look(*cameras):
        monkeypatch.setattr(aravis, "find_gige_cameras", lambda: list(cameras))

    first = aravis.GigeCamera("FLIR", "Ax5", "7301", "10.0.0.7")
    second = aravis.GigeCamera("FLIR", "Ax5", "7302", "10.0.0.8")
    look(first, second)
    with pytest.raises(
        DeviceError, match=r"several .*: FLIR Ax5, serial 7301, at 10\.0.*serial 7302"
    ):
        GigeThermalCamera().open()
    with pytest.raises(
        DeviceError, match=r"no GigE Vision camera has the serial 9\. There are: FLIR"
    ):
        GigeThermalCamera("9").open()
    look()
    with pytest.raises(DeviceError, match=r"no GigE Vision camera answers on any network"):
        GigeThermalCamera().open()


@pytest.mark.parametrize("pixel_format", ["Mono14", "Mono16", "Mono14p"])
def test_every_frame_that_was_sent_arrives_pixel_for_pixel(serve, connect, pixel_format):
    server = serve(rate_hz=200.0, first_block=FIRST, frames=FRAMES)
    camera = connect(pixel_format=pixel_format)
    camera.start()
    items = read_frames(camera, FRAMES)
    camera.stop()
    frames = [item for item in items if isinstance(item, Frame)]

    assert server.sent() == [*range(FIRST, 65_536), *range(1, FIRST + FRAMES - 65_535)]
    assert [item.frame_number for item in items] == list(range(FIRST, FIRST + FRAMES))
    assert len(frames) >= FRAMES - 3, camera.link_statistics()  # the machine may be busy
    for frame in frames:
        if frame.flags == FrameFlag(0):
            wanted = thermal_picture(frame.frame_number - FIRST)
            assert np.array_equal(frame.pixels, wanted), frame.frame_number
            assert frame.pixels.dtype == np.uint16
    with pytest.raises(EOFError):
        read_until(camera, lambda _: False)


def test_what_the_link_loses_is_named_and_what_is_left_is_told_apart(serve, connect):
    serve(rate_hz=200.0, first_block=1, frames=160, lost=0.03)
    camera = connect(pixel_format="Mono16")
    camera.start()
    items = read_until(camera, lambda items: items and items[-1].frame_number >= 150)
    whole = [item for item in items if isinstance(item, Frame) and not item.flags]
    broken = [item for item in items if isinstance(item, Frame) and item.flags]
    lost = [item for item in items if isinstance(item, LostFrame)]
    numbers = [item.frame_number for item in items]
    statistics = camera.link_statistics()

    assert numbers == list(range(numbers[0], numbers[-1] + 1))
    assert len(whole) > 20
    assert len(broken) > 20
    assert lost
    assert {item.cause for item in lost} == {"link"}
    assert {item.flags for item in broken} == {FrameFlag.INCOMPLETE}
    for frame in (*whole, *broken):
        is_missing = frame.pixels != thermal_picture(frame.frame_number - 1)
        assert not is_missing.any() or FrameFlag.INCOMPLETE in frame.flags
        assert not frame.pixels[is_missing].any()  # no older frame shines through
    assert statistics["failures"] >= len(broken)
    assert statistics["missing_packets"] > 0


def test_frames_that_the_camera_never_sent_whole_blocks_of_are_named_too(serve, connect):
    server = serve(rate_hz=200.0, first_block=10)
    camera = connect()
    camera.start()
    read_frames(camera, 5)
    server.tell(skip=3)
    items = read_until(camera, lambda items: sum(isinstance(i, LostFrame) for i in items) >= 3)
    sent = server.sent()
    skipped = sorted(set(range(10, sent[-1])) - set(sent))

    assert {item.frame_number for item in items if isinstance(item, LostFrame)} >= set(skipped)
    assert len(skipped) == 3


def test_frames_that_come_while_nobody_reads_are_lost_in_the_queue(serve, connect):
    serve(rate_hz=200.0, width=32, height=16)
    camera = connect(rate_hz=200.0)
    camera.start()
    read_until(camera, lambda items: camera.link_statistics()["underruns"] > 0 or time.sleep(0.2))
    items = read_until(camera, lambda items: any(isinstance(item, LostFrame) for item in items))

    assert {item.cause for item in items if isinstance(item, LostFrame)} == {"queue"}


def test_the_camera_s_features_are_read_set_and_kept(serve, connect):
    serve()
    features = {"NUCMode": "Manual", "ObjectEmissivity": 0.98, "NUCAction": True}
    camera = connect(temperature_linear="low", rate_hz=50.0, width=80, height=64, features=features)
    kept = camera.info.settings["features"]

    assert kept["TemperatureLinearMode"] == "On"
    assert kept["TemperatureLinearResolution"] == "Low"
    assert kept["CMOSBitDepth"] == "bit14bit"
    assert kept["NUCMode"] == "Manual"
    assert kept["ObjectEmissivity"] == pytest.approx(0.98)
    assert [kept[name] for name in "RBFO"] == [366_545.0, 1428.0, 1.0, -342.0]
    assert camera.info.radiometry["kelvin_per_count"] == 0.4
    assert camera.info.settings["pixel_format"] == "Mono14"
    assert camera.info.settings["packet_bytes"] == 1400
    assert (camera.info.width, camera.info.height, camera.info.rate_hz) == (80, 64, 50.0)


def test_counts_mean_what_the_camera_s_mode_says(serve, connect):
    serve()
    linear = connect().info.radiometry
    camera = connect(temperature_linear="off")

    assert (linear["formula"], linear["kelvin_per_count"]) == ("linear", 0.04)
    assert camera.info.radiometry["formula"] == "planck"
    assert camera.info.radiometry["planck_r"] == 366_545.0
    assert camera.info.radiometry["planck_b"] == 1428.0
    assert camera.info.radiometry["planck_f"] == 1.0
    assert camera.info.radiometry["planck_o"] == -342.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"pixel_format": "Mono8"},
            r"format Mono8 cannot be had: the camera offers .*Mono14.*read",
        ),
        ({"features": {"NUCMode": "Sometimes"}}, r"NUCMode.*Allowed: Manual, Automatic"),
        ({"features": {"R": 1.0}}, r"feature R cannot be set to 1\.0.*Correct"),
        ({"features": {"Focus": 3}}, r"has no feature Focus\. Leave it out"),
        ({"width": 5000}, r"feature Width cannot be set to 5000"),
        ({"rate_hz": 3000.0}, r"rate"),
    ],
)
def test_what_the_camera_cannot_do_is_told_and_leaves_it_free(serve, connect, options, message):
    serve()
    with pytest.raises(DeviceError, match=message):
        connect(**options)

    assert connect().info.serial == SERIAL


def test_stamps_are_the_middle_of_the_exposure_and_grow_where_ticks_wrap(serve, connect):
    ticks_hz = 1_000_000
    serve(rate_hz=200.0, ticks_hz=ticks_hz, first_ticks=(1 << 32) - ticks_hz // 2, frames=200)
    camera = connect(stamp_shift_us=-1000.0)
    camera.start()
    frames = [item for item in read_frames(camera, 200) if isinstance(item, Frame)]
    now_ns = time.monotonic_ns()
    device = np.array([frame.device_ns for frame in frames])
    host = np.array([frame.host_ns for frame in frames])
    wrap_ns = (1 << 32) * 1_000_000_000 // ticks_hz

    assert camera.info.clock_hz == ticks_hz
    assert {frame.domain for frame in frames} == {ClockDomain.DEVICE}
    assert {frame.exposure_ns for frame in frames} == {EXPOSURE_US * 1000}
    assert device[0] < wrap_ns < device[-1]
    assert (np.diff(device) > 0).all()
    assert now_ns - 60_000_000_000 < host[0] < host[-1] < now_ns
    assert (np.diff(host) > 0).all()
    assert np.ptp(device - host) < 200_000_000  # one clock: both are this machine's


def test_a_closed_shutter_and_the_camera_s_temperature_are_told(serve, connect):
    server = serve(rate_hz=100.0)
    camera = connect()
    camera.start()
    before = read_frames(camera, 5)[-1]
    server.tell(registers={"NUCActive": 1, "DeviceTemperature": 33.25})
    closed = read_until(camera, lambda items: items and items[-1].flags & FrameFlag.SHUTTER)[-1]
    server.tell(registers={"NUCActive": 0})
    read_until(camera, lambda items: items and not items[-1].flags)

    assert camera.info.detail_names == ("device_celsius",)
    assert (before.flags, before.details) == (FrameFlag(0), (31.5,))
    assert closed.flags & FrameFlag.REPEATED
    assert closed.details == (33.25,)


def test_a_camera_that_stands_still_is_told_and_can_be_opened_again(serve, connect):
    server = serve(rate_hz=200.0)
    camera = connect(stall_seconds=0.4)
    camera.start()
    read_frames(camera, 3)
    server.tell(stands_still=True)
    with pytest.raises(DeviceError, match=r"AX5-0001: answers, but sent no frame for 0\.\d s"):
        read_until(camera, lambda _: False)
    camera.close()
    server.tell(stands_still=False)
    camera.open()
    camera.start()

    assert len(read_frames(camera, 3)) == 3


def test_a_camera_that_another_program_takes_over_is_told(serve, connect):
    server = serve()
    camera = connect()
    camera.start()
    read_frames(camera, 3)
    server.tell(release=True)

    with pytest.raises(DeviceError, match="control was lost: unplugged, without power, or taken"):
        read_until(camera, lambda _: False)


def test_a_camera_that_another_program_controls_is_not_opened(serve, connect):
    serve()
    connect()
    with pytest.raises(DeviceError, match=r"controlled by another program\. End that"):
        GigeThermalCamera(address=ADDRESS).open()


class SlowEvent(threading.Event):
    """Keeps the thread that sets it, which is Aravis's."""

    def set(self):
        super().set()
        time.sleep(0.4)


def test_a_camera_is_let_go_while_aravis_is_still_telling_of_its_loss(serve, connect, monkeypatch):
    server = serve(rate_hz=50.0)
    slow = SimpleNamespace(Event=SlowEvent, Thread=threading.Thread)
    monkeypatch.setattr(thermal_gige, "threading", slow)
    camera = connect()
    camera.start()
    read_frames(camera, 3)
    server.tell(release=True)
    with pytest.raises(DeviceError, match="control was lost"):
        read_until(camera, lambda _: False)
    camera.close()
    time.sleep(1.0)  # the reference that was the last one ended this process
    camera.open()
    camera.start()

    assert len(read_frames(camera, 3)) == 3


def test_a_format_that_changes_in_mid_take_is_told(serve, connect):
    server = serve()
    camera = connect(pixel_format="Mono16")
    camera.start()
    read_frames(camera, 3)
    server.tell(pixel_format="Mono14")

    with pytest.raises(DeviceError, match=r"has pixel format 0x1100025, .* not Mono16, 160 x 128"):
        read_until(camera, lambda _: False)


def test_an_unplugged_camera_is_told_and_comes_back(serve, connect):
    server = serve(rate_hz=200.0)
    camera = connect()
    camera.start()
    read_frames(camera, 3)
    server.kill()
    with pytest.raises(DeviceError, match="does not answer any more: unplugged") as lost:
        read_until(camera, lambda _: False)
    camera.close()
    server.start(rate_hz=200.0)
    camera.open()
    camera.start()
    frames = read_frames(camera, 3)
    now = time.monotonic()
    del lost  # what it refers to must not end the old connection here, which takes seconds

    assert time.monotonic() - now < 1.0
    assert np.array_equal(frames[0].pixels, thermal_picture(frames[0].frame_number - 65_401))


def test_reading_before_the_start_says_what_to_call():
    camera = GigeThermalCamera()
    with pytest.raises(DeviceError, match=r"is not started. Call open\(\) and start\(\)"):
        camera.read(0.1)
    with pytest.raises(DeviceError, match=r"is not open. Call open\(\) before start\(\)"):
        camera.start()
    camera.stop()
    camera.close()


def test_a_missing_typelib_is_named_with_the_way_out(gige_address, monkeypatch):
    load = aravis.load_aravis.__wrapped__
    monkeypatch.setattr(aravis, "_TYPELIB_VERSION", "0.1")
    with pytest.raises(MissingExtra, match=r"Aravis 0.1 is not installed.*gir1.2-aravis-0.8"):
        load()


def test_a_missing_library_is_named_with_the_way_out(monkeypatch):
    load = aravis.load_aravis.__wrapped__
    monkeypatch.setitem(sys.modules, "gi", None)
    monkeypatch.setattr(aravis, "_SYSTEM_FOLDERS", ())
    with pytest.raises(
        MissingExtra, match=r"PyGObject \(gi\) is not.*apt-get install .*python3-gi"
    ):
        load()


class ColorAndGige:
    """The simulated rig's color camera beside a GigE thermal camera."""

    name, is_paced, calibration = "color and GigE", True, None

    def __init__(self, thermal):
        simulated = SimulatedRig(5, seconds=20.0, sizes={"color": (160, 120)}, drop_share=0.0)
        self.cameras = [simulated.cameras[0], thermal]
        self.settings = simulated.settings


def test_a_take_with_an_unplugged_camera_is_whole_on_the_disk(serve, study, tmp_path):
    server = serve(rate_hz=30.0)
    form = tmp_path / "form.pdf"
    form.write_text("signed")
    study.write_consent("S01", form, form_version="1", scope=["record"])
    is_unplugged, stop = threading.Event(), threading.Event()

    def pull_the_cable(progress):
        if progress.frames["thermal"] > 15 and not is_unplugged.is_set():
            is_unplugged.set()
            server.kill()
            server.start(rate_hz=30.0)
        if progress.frames["thermal"] > 40:
            stop.set()

    rig = ColorAndGige(GigeThermalCamera(address=ADDRESS))
    take = record_take(study, rig, subject="S01", progress=pull_the_cable, stop=stop)
    session = Session.open(take.folder)
    times = session.times("thermal")
    stored = session.read("thermal", 0, len(times))
    counters = stored[:, 0, 0].astype(int)
    restarts = np.flatnonzero(np.diff(counters) < 0) + 1
    stretches = np.split(np.arange(len(times)), restarts)
    drops = session.drops[session.drops["stream"] == 2]
    color = take.report.streams["color"]
    last_color = int(session.times("color")["frame_number"][-1])
    thermal = session.document["streams"]["thermal"]

    assert take.report.verdict == "ok", take.report.problems
    assert take.failures == {}
    assert color.frames + color.drops == last_color + 1  # the other camera is not disturbed
    assert len(restarts) == 1
    assert {b"camera_lost", b"camera_back"} <= set(session.events["kind"].tolist())
    assert [int(counters[stretch[0]]) for stretch in stretches] == [0, 0]
    for counts, counter in zip(stored, counters.tolist(), strict=True):
        assert np.array_equal(counts, thermal_picture(counter))
    for stretch in stretches:
        numbers = times["frame_number"][stretch]
        listed = [n for n in drops["frame_number"].tolist() if numbers[0] < n < numbers[-1]]
        assert sorted([*numbers.tolist(), *listed]) == list(range(numbers[0], numbers[-1] + 1))
    assert set(drops["cause"].tolist()) <= {DROP_CAUSES["link"]}
    assert thermal["radiometry"]["kelvin_per_count"] == 0.04
    assert thermal["settings"]["features"]["R"] == 366_545.0
