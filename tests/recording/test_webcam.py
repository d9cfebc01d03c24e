"""Color over OpenCV: V4L2 devices (a shim), files and a stream over HTTP."""

import threading
from functools import partial
from hashlib import sha256
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pytest
import shim

from mavfer.errors import CommandError, DeviceError
from recording.camera import ClockDomain, FrameFlag
from recording.webcam import Webcam

SIZE = {"width": 64, "height": 48}
LARGE = {"width": 160, "height": 120}
JPEGS = 60


def drawn(number, shape=(48, 64)):
    """RGB (H, W, 3), smooth enough for JPEG."""
    y, x = np.indices(shape)
    channels = (x * 3 + number, y * 4, (x + y) * 2 - number)
    return np.clip(np.stack(channels, axis=-1), 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    """What each job saw of its device."""
    folder = tmp_path_factory.mktemp("bench")
    for number in range(JPEGS):
        cv2.imwrite(str(folder / f"{number}.jpg"), drawn(number, (120, 160))[:, :, ::-1])
    devices = {
        "plain": {**SIZE, "format": "YUYV", "gap_at": 12, "gap": 3, "damaged_at": 16},
        "jpeg": {**LARGE, "format": "MJPG", "jpegs": folder, "torn_at": 14, "cut_at": 17},
        "torn first": {**LARGE, "format": "MJPG", "jpegs": folder, "torn_at": 1},
        "mute": {**SIZE, "format": "YUYV", "is_mute": 1, "gap_at": 12, "gap": 3},
        "unplugged": {**SIZE, "format": "YUYV", "unplug_at": 12, "replug_ms": 300},
    }
    jobs = {
        "plain": {"frames": 20, "options": {"rate_hz": 30}},
        "jpeg": {"frames": 20, "options": {"fourcc": "MJPG", "delay_seconds": 0.02}},
        "torn first": {"frames": 2},
        "mute": {"frames": 20},
        "unplugged": {"frames": 20, "openings": 2, "patience_seconds": 5},
    }
    library = shim.build(folder)
    jobs = {name: {"kind": "webcam", **job} for name, job in jobs.items()}
    seen = shim.read(library, folder, devices, jobs)
    seen["jpeg"].expected = {
        number: cv2.imread(str(folder / f"{number}.jpg"))[:, :, ::-1] for number in range(JPEGS)
    }
    seen["jpeg"].given = {
        number: sha256((folder / f"{number}.jpg").read_bytes()).hexdigest()
        for number in range(JPEGS)
    }
    return seen


def test_every_frame_handed_out_is_read_as_rgb_with_the_driver_s_number(bench):
    seen = bench["plain"]
    first, last = seen.numbers[0], seen.numbers[-1]
    given = [number for number in seen.handed_out if first <= number <= last]

    assert seen.numbers.tolist() == given
    assert {12, 13, 14}.isdisjoint(given)
    assert np.array_equal(seen.pixels, [shim.picture_of(number, (48, 64)) for number in given])
    assert (seen.device_ns // 1000).tolist() == [seen.handed_out[n] // 1000 for n in given]
    assert set(seen.domains.tolist()) == {ClockDomain.HOST}


def test_what_was_asked_and_what_came_of_it_is_kept(bench):
    info = bench["plain"].infos[0]

    assert info["settings"]["asked"] == {"rate_hz": 30.0}
    assert info["settings"]["fourcc"] == "YUYV"
    assert info["settings"]["backend"] == "V4L2"
    assert info["settings"]["frame_numbers"] == "driver"
    assert (info["width"], info["height"], info["rate_hz"]) == (64, 48, 30)
    assert info["model"] == "plain"


def test_a_torn_jpeg_is_a_lost_frame_and_not_the_picture_before_it(bench):
    seen = bench["jpeg"]

    assert seen.errors == []
    assert seen.lost.tolist() == [14, 17]
    assert {14, 17}.isdisjoint(seen.numbers.tolist())
    for number, pixels in zip(seen.numbers, seen.pixels, strict=True):
        assert np.array_equal(pixels, seen.expected[number])


def test_a_jpeg_is_handed_on_as_the_camera_gave_it(bench):
    seen, plain = bench["jpeg"], bench["plain"]

    assert seen.infos[0]["gives_jpeg"]
    assert seen.jpegs.tolist() == [bench["jpeg"].given[number] for number in seen.numbers]
    assert not plain.infos[0]["gives_jpeg"]
    assert set(plain.jpegs.tolist()) == {sha256(b"").hexdigest()}


def test_a_camera_that_begins_with_a_torn_jpeg_opens(bench):
    seen = bench["torn first"]

    assert seen.errors == []
    assert np.array_equal(seen.pixels[0], bench["jpeg"].expected[seen.numbers[0]])


def test_a_frame_that_the_driver_calls_damaged_is_flagged(bench):
    seen = bench["plain"]

    assert seen.numbers[seen.flags == FrameFlag.INCOMPLETE].tolist() == [16]
    assert set(seen.flags.tolist()) == {0, FrameFlag.INCOMPLETE}


def test_a_measured_delay_moves_the_stamp_to_the_exposure(bench):
    seen = bench["jpeg"]
    stamps_us = [seen.handed_out[number] // 1000 for number in seen.numbers.tolist()]

    assert (seen.device_ns // 1000).tolist() == [stamp - 20_000 for stamp in stamps_us]


def test_without_the_driver_s_count_frames_are_counted_and_the_settings_say_so(bench):
    seen = bench["mute"]

    assert seen.numbers.tolist() == list(range(20))
    assert seen.infos[0]["settings"]["frame_numbers"] == "counted as they come"
    assert np.diff(seen.device_ns).max() > 3.5 * np.median(np.diff(seen.device_ns))


def test_an_unplugged_webcam_says_so_and_comes_back_on_the_same_object(bench):
    seen = bench["unplugged"]

    assert len(seen.errors) == 1
    assert "was unplugged, or its driver failed" in seen.errors[0][0]
    assert len(seen.infos) == 2
    assert np.array_equal(seen.pixels[-1], shim.picture_of(seen.numbers[-1], (48, 64)))


def color_file(folder, count=7):
    frames = [np.ascontiguousarray(drawn(number * 5)) for number in range(count)]
    return frames, shim.write_file(folder / "c.mkv", frames, "bgr0", "rgb24")


def test_a_file_is_read_as_rgb_without_waiting_and_ends(tmp_path):
    expected, path = color_file(tmp_path)
    camera = Webcam(path)
    frames = shim.read_file(camera)

    assert np.array_equal([frame.pixels for frame in frames], expected)
    assert [frame.device_ns for frame in frames] == [n * 40_000_000 for n in range(7)]
    assert {frame.domain for frame in frames} == {ClockDomain.DEVICE}
    assert [frame.frame_number for frame in frames] == list(range(7))
    assert camera.info.settings["backend"] == "FFMPEG"
    assert (camera.info.width, camera.info.height, camera.info.rate_hz) == (64, 48, 25)


def test_a_stream_over_http_is_stamped_on_arrival_and_its_end_is_told(tmp_path):
    expected, _ = color_file(tmp_path)
    handler = partial(QuietHandler, directory=tmp_path)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        camera = Webcam(f"http://127.0.0.1:{server.server_port}/c.mkv")
        camera.open()
        camera.start()
        frames = [camera.read(0.2) for _ in expected]
        with pytest.raises(DeviceError, match="has ended, or was silent for 5 s"):
            camera.read(0.2)
        camera.close()
        server.shutdown()

    assert np.array_equal([frame.pixels for frame in frames], expected)
    assert all(f.domain == ClockDomain.ARRIVAL and f.device_ns == f.host_ns for f in frames)
    assert camera.info.model == "network stream"


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        """Says nothing."""


def test_a_stream_that_does_not_answer_is_named():
    with pytest.raises(DeviceError, match=r"http://127.0.0.1:9/x: does not answer"):
        Webcam("http://127.0.0.1:9/x").open()


def test_a_file_that_is_no_video_is_named(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("no video")
    with pytest.raises(DeviceError, match=r"notes.txt: is no video file that OpenCV can read"):
        Webcam(str(path)).open()


def test_a_format_is_four_characters():
    with pytest.raises(CommandError, match="fourcc 'JPEG2': give four characters"):
        Webcam(0, fourcc="JPEG2")


def test_what_is_known_before_opening_is_what_was_asked():
    camera = Webcam("desk camera", width=640, height=480, rate_hz=30)

    assert (camera.info.stream, camera.info.width, camera.info.rate_hz) == ("color", 640, 30)
