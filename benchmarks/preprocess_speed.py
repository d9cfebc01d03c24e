"""What preprocessing costs, against a straightforward program for the same crops.

The straightforward one searches every whole frame for the face, registers the whole depth frame by
numpy, one point a pixel, and writes each frame with gzip. It smooths nothing, knows no dark and
makes no video for raters; ours does, and its cost is told with that video and without. Both work on
one simulated session of 1280x720 color, 848x480 depth and 640x512 thermal, in turns, each in a
process of its own: after the other one, numpy's large arrays cost the plain program half as much
again.

    python benchmarks/preprocess_speed.py [--quick]
"""
# ruff: noqa: E402 (threads are told how many they are before numpy loads)

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import av
import cv2
import dlib
import h5py
import numpy as np

from mavfer.files import read_json
from mavfer.preprocess import Options
from mavfer.preprocess.session_job import preprocess_session
from mavfer.preprocess.timeline import align_times
from mavfer.study.calibration import read_calibration
from mavfer.study.session import Session
from mavfer.study.streams_file import open_streams
from mavfer.study.study import Study, software_versions
from mavfer.vision.alignment import crop_matrix, find_preset
from mavfer.vision.geometry import apply_matrix
from mavfer.vision.landmark_model import find_landmark_model
from recording.recorder import record_take
from recording.simulated import SimulatedRig

SHAPE = (224, 224)
ALONE = """
import re, sys
from pathlib import Path
from mavfer.files import read_json
from mavfer.preprocess import Options
from mavfer.preprocess.session_job import preprocess_session
from mavfer.study.study import Study
preprocess_session(Study.open(Path(sys.argv[1])), sys.argv[2], Options(), lambda count: None)
print(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""
SHORT_SECONDS = 6
SIZES = {"color": (1280, 720), "depth": (848, 480), "thermal": (640, 512)}


def record(root, subject, seconds):
    """A simulated session in good light."""
    study = Study.open(root) if root.exists() else Study.create(root)
    rig = SimulatedRig(
        1, seconds=seconds, pace="fast", subject_code=subject, sizes=SIZES, drop_share=0
    )
    return study, record_take(study, rig, subject=subject).session


def ours(study, session, *, media):
    """CPU seconds of preprocessing the session anew, and its color frames."""
    for path in (study.shard_path(session), study.media_path(session)):
        path.unlink(missing_ok=True)
    begun = time.process_time()
    result = preprocess_session(study, session, Options(media=media), lambda _: None)
    assert result.found_frames > 0.9 * result.frames
    return time.process_time() - begun, result.frames


def decoding(study, name):
    """CPU seconds of reading the color frames' luma, and of PyAV alone."""
    session = Session.open(study.session_folder(name))
    begun = time.process_time()
    for frame in session.color_frames():
        frame.gray()
    read = time.process_time()
    with av.open(str(session.color_path)) as container:
        container.streams.video[0].codec_context.thread_count = 1
        for _ in container.decode(video=0):
            pass
    return read - begun, time.process_time() - read


def peak_mb(study, session):
    """Most memory of a process that preprocesses the session anew."""
    for path in (study.shard_path(session), study.media_path(session)):
        path.unlink(missing_ok=True)
    words = [sys.executable, "-c", ALONE, str(study.root), session]
    return int(subprocess.run(words, check=True, capture_output=True, text=True).stdout) / 1024


def wall_seconds(study, session, jobs, copies=8):
    """Seconds until as many copies of the session are preprocessed, so many at a time."""
    with tempfile.TemporaryDirectory() as folder:
        crowd = Study.create(Path(folder) / "study")
        shutil.copytree(study.root / "calibration", crowd.root / "calibration", dirs_exist_ok=True)
        for number in range(1, copies + 1):
            name = f"S01-{number:03d}"
            target = crowd.session_folder(name)
            shutil.copytree(study.session_folder(session), target)
            document = read_json(target / "session.json") | {"session": name}
            (target / "session.json").write_text(json.dumps(document))
            with h5py.File(target / "streams.h5", "r+") as file:
                file.attrs["session"] = name
        begun = time.monotonic()
        words = [sys.executable, "-m", "mavfer", "preprocess", str(crowd.root), "-j", str(jobs)]
        subprocess.run(words, check=True, capture_output=True)
        return time.monotonic() - begun


def plain_ms(study, session, frames):
    """CPU milliseconds a frame of the straightforward program, for the first frames."""
    words = [sys.executable, __file__, "--plain", str(study.root), session, str(frames)]
    return float(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


class Plain:
    """The straightforward program."""

    def __init__(self, study, name):
        self.session = Session.open(study.session_folder(name))
        self.cameras = read_calibration(study, self.session.calibration, session=name)
        self.timeline = align_times(self.session)
        self.detector = dlib.get_frontal_face_detector()
        self.predictor = dlib.shape_predictor(str(find_landmark_model(None).path))
        self.preset = find_preset(Options().alignment)
        depth = self.cameras.depth
        x, y = np.meshgrid(np.arange(depth.width), np.arange(depth.height))
        pixels = np.stack([x.ravel(), y.ravel()], axis=1).astype(np.float64)
        self.rays = depth.rays(pixels).reshape(depth.height, depth.width, 2)

    def run(self, path, frames):
        """CPU seconds for the first frames of the session."""
        begun = time.process_time()
        with open_streams(self.session.streams_path) as streams, h5py.File(path, "w") as file:
            for frame in self.session.color_frames():
                if frame.index == frames:
                    break
                self._write(file, frame.index, self._crops(frame, streams))
        return time.process_time() - begun

    def _crops(self, frame, streams):
        rgb = frame.rgb()
        gray = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
        faces = self.detector(gray)
        if not faces:
            return [np.zeros((*SHAPE, 3), np.uint8), *np.zeros((2, *SHAPE), np.uint16)]
        parts = self.predictor(gray, faces[0]).parts()
        landmarks = np.array([(part.x, part.y) for part in parts], np.float64)
        matrix = crop_matrix(landmarks, self.preset)
        color = cv2.warpAffine(rgb, matrix, SHAPE)
        counts = self._paired(streams, "depth", frame.index)
        celsius = self._paired(streams, "thermal", frame.index)
        points = self._points(counts)
        place = np.rint(apply_matrix(matrix, self.cameras.color.project(points))).astype(int)
        inside = ((place >= 0) & (place < SHAPE)).all(axis=1)
        place, points = place[inside], points[inside]
        return [color, _scatter(points, place), self._look_up(celsius, points, place)]

    def _paired(self, streams, stream, index):
        row = max(int(self.timeline.pairings[stream].index[index]), 0)
        return streams[f"{stream}/frames"][row]

    def _points(self, counts):
        """Every depth pixel's point (N, 3) in the color camera's frame."""
        y, x = np.nonzero(counts)
        z = counts[y, x] * self.session.document["streams"]["depth"]["depth_mm_per_count"]
        own = np.column_stack([self.rays[y, x] * z[:, None], z])
        motion = np.linalg.inv(self.cameras.depth.camera_from_color)
        return own @ motion[:3, :3].T + motion[:3, 3]

    def _look_up(self, counts, points, place):
        """The thermal pixel of every depth pixel's point, set down in the crop."""
        seen = np.rint(self.cameras.thermal.project(points)).astype(int)
        inside = ((seen >= 0) & (seen < counts.shape[::-1])).all(axis=1)
        crop = np.zeros(SHAPE, np.uint16)
        crop[place[inside, 1], place[inside, 0]] = counts[seen[inside, 1], seen[inside, 0]]
        return crop

    def _write(self, file, index, crops):
        for name, crop in zip(("color", "depth", "thermal"), crops, strict=True):
            if name not in file:
                file.create_dataset(
                    name, (0, *crop.shape), crop.dtype, maxshape=(None, *crop.shape),
                    chunks=(1, *crop.shape), compression="gzip",
                )  # fmt: skip
            file[name].resize(index + 1, axis=0)
            file[name][index] = crop


def _scatter(points, place):
    """Every point set down in the crop; the nearest wins."""
    depth = np.full(SHAPE, 65535.0)
    np.minimum.at(depth, (place[:, 1], place[:, 0]), points[:, 2])
    return np.where(depth < 65535, depth, 0).astype(np.uint16)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="6 seconds instead of 60")
    parser.add_argument("--plain", nargs=3, metavar=("STUDY", "SESSION", "FRAMES"))
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    if arguments.plain:
        run_plain(*arguments.plain)
    else:
        compare(is_quick=arguments.quick)


def run_plain(root, session, frames):
    """Prints the CPU milliseconds of the straightforward program, after three frames to warm up."""
    plain = Plain(Study.open(Path(root)), session)
    with tempfile.TemporaryDirectory() as folder:
        plain.run(Path(folder) / "warm.h5", 3)
        seconds = plain.run(Path(folder) / "plain.h5", int(frames))
    print(1000 * seconds / int(frames))


def compare(*, is_quick):
    """Prints the comparison."""
    plain_frames, rounds = (30, 2) if is_quick else (45, 3)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "study"
        study, short = record(root, "S02", SHORT_SECONDS)
        session = short if is_quick else record(root, "S01", 10 * SHORT_SECONDS)[1]
        start_seconds, _ = ours(study, short, media=True)  # loads kernels and models
        shard_ms, theirs_ms, read_ms, bare_ms = [], [], [], []
        for _ in range(rounds):
            seconds, frames = ours(study, session, media=False)
            shard_ms.append(1000 * seconds / frames)
            theirs_ms.append(plain_ms(study, session, plain_frames))
            for times, seconds in zip((read_ms, bare_ms), decoding(study, session), strict=True):
                times.append(1000 * seconds / frames)
        seconds, frames = ours(study, session, media=True)
        media_ms = 1000 * seconds / frames
        shard_bytes = study.shard_path(session).stat().st_size / frames
        only_full = {} if is_quick else long_session(study, short, session)
    values = {
        "frames": frames,
        "ours_ms_per_frame": min(shard_ms),
        "ours_with_media_ms_per_frame": media_ms,
        "plain_ms_per_frame": min(theirs_ms),
        "decoding_over_bare_pyav": min(read_ms) / min(bare_ms),
        "decoding_ms_per_frame": min(read_ms),
        "start_and_short_session_cpu_seconds": start_seconds,
        **only_full,
        "shard_bytes_per_frame": shard_bytes,
    }
    ratios = {
        "cpu_plain": min(theirs_ms) / min(shard_ms),
        "cpu_plain_over_ours_with_media": min(theirs_ms) / media_ms,
    }
    packages = ("av", "dlib-bin", "numba", "opencv-python")
    result = {"benchmark": "preprocess_speed", "ratios": ratios, "values": values}
    print(json.dumps({**result, "versions": software_versions(*packages)}))


def long_session(study, short, session):
    """What takes minutes: memory over ten times the length, and two workers against one."""
    one, two = (wall_seconds(study, short, jobs) for jobs in (1, 2))
    return {
        "peak_mb_short_session": peak_mb(study, short),
        "peak_mb_ten_times_longer": peak_mb(study, session),
        "two_workers_over_one": one / two,
    }


if __name__ == "__main__":
    main()
