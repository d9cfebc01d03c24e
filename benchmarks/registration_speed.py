"""Depth, temperature and color brought into the face crop, against the usual ways.

Depth against librealsense's own alignment of the whole frame, fed by a software device, and against
numpy, one point a pixel; temperature against the best fixed homography there is for the face;
color against FFmpeg's conversion of the whole frame. An analytic head before a wall gives the
truth: 848x480 depth with noise and 1 % of holes, 640x512 thermal, 1280x720 color, crops of 224x224.

    python benchmarks/registration_speed.py [--quick]
"""
# ruff: noqa: E402 (threads are told how many they are before numpy loads)

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import av
import cv2
import numpy as np
import pyrealsense2 as rs
from av.video.reformatter import VideoReformatter
from scipy.ndimage import binary_dilation, binary_erosion

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "mavfer" / "vision"))
import scene

from mavfer.study.study import software_versions
from mavfer.vision.alignment import warp_color
from mavfer.vision.color_crop import crop_yuv420
from mavfer.vision.geometry import Calibration, apply_matrix, invert_matrix
from mavfer.vision.registration import Registrar

SHAPE = (224, 224)
MM_PER_COUNT = 0.1
COLOR = scene.camera(1280, 720, 920)
DEPTH = scene.camera(848, 480, 425, pose=scene.rigid((-15, 1, -2), 0.004, -0.003))
THERMAL = scene.camera(640, 512, 640, pose=scene.rigid((70, -3, 4), -0.06, 0.01))
DISTANCES_MM = (500, 750, 1000, 1200)
MOVED_MM = 200


def head_at(distance_mm):
    return scene.Scene(scene.rigid((5, -8, distance_mm)))


def face_of(subject, matrix):
    """Points (H, W, 3) that the crop shows, the face less its rim, and a ring around the head."""
    _, points, is_head = scene.crop_truth(subject, matrix, camera=COLOR)
    around = binary_dilation(is_head, iterations=12) & ~binary_dilation(is_head, iterations=2)
    return points, binary_erosion(is_head, iterations=4), around


class RealSense:
    """librealsense's alignment of depth to color, without a camera."""

    def __init__(self):
        self.device = rs.software_device()
        self.depth = self.device.add_sensor("Depth")
        self.color = self.device.add_sensor("Color")
        streams = (
            (self.depth, rs.stream.depth, DEPTH, rs.format.z16, 2),
            (self.color, rs.stream.color, COLOR, rs.format.rgb8, 3),
        )
        profiles = [
            rs.video_stream_profile(sensor.add_video_stream(self._stream(number, *rest)))
            for number, (sensor, *rest) in enumerate(streams)
        ]
        self.depth_profile, self.color_profile = profiles
        self.depth.add_read_only_option(rs.option.depth_units, MM_PER_COUNT / 1000)
        motion, extrinsics = np.linalg.inv(DEPTH.camera_from_color), rs.extrinsics()
        extrinsics.rotation = motion[:3, :3].T.ravel().tolist()
        extrinsics.translation = (motion[:3, 3] / 1000).tolist()
        self.depth_profile.register_extrinsics_to(self.color_profile, extrinsics)
        self.device.create_matcher(rs.matchers.default)
        self.pairs = rs.syncer()
        for sensor, profile in zip((self.depth, self.color), profiles, strict=True):
            sensor.open(profile)
            sensor.start(self.pairs)
        self.aligner = rs.align(rs.stream.color)

    @staticmethod
    def _stream(number, kind, camera, layout, bytes_per_pixel):
        stream, lens = rs.video_stream(), rs.intrinsics()
        lens.width, lens.height = camera.width, camera.height
        (lens.fx, _, lens.ppx), (_, lens.fy, lens.ppy) = camera.matrix[:2]
        lens.model, lens.coeffs = rs.distortion.none, [0.0] * 5
        stream.type, stream.index, stream.uid, stream.fps = kind, 0, number, 30
        stream.width, stream.height, stream.bpp = camera.width, camera.height, bytes_per_pixel
        stream.fmt, stream.intrinsics = layout, lens
        return stream

    def pair(self, counts):
        """A frame of depth with one of color, as the driver would give them."""
        black = np.zeros((COLOR.height, COLOR.width, 3), np.uint8)
        for number in range(1, 6):
            self._send(self.depth, self.depth_profile, counts, number)
            self._send(self.color, self.color_profile, black, number)
            frames = self.pairs.wait_for_frames()
            if frames.size() == 2:
                return frames
        raise SystemExit("librealsense's software device gave no pair of frames")

    @staticmethod
    def _send(sensor, profile, pixels, number):
        frame = rs.software_video_frame()
        frame.pixels, frame.bpp = np.ascontiguousarray(pixels), pixels.strides[1]
        frame.stride, frame.timestamp, frame.frame_number = pixels.strides[0], 33.0 * number, number
        frame.profile, frame.domain = profile, rs.timestamp_domain.hardware_clock
        sensor.on_video_frame(frame)

    def align(self, frames):
        """Depth of every color pixel, in mm along the depth camera's axis."""
        aligned = self.aligner.process(frames).get_depth_frame()
        return np.asanyarray(aligned.get_data())


class Scatter:
    """Numpy, one point a pixel, straight into the crop; the nearest wins."""

    def __init__(self):
        y, x = np.mgrid[: DEPTH.height, : DEPTH.width]
        pixels = np.stack([x.ravel(), y.ravel()], axis=1).astype(float)
        self.rays = DEPTH.rays(pixels).reshape(DEPTH.height, DEPTH.width, 2)
        self.motion = np.linalg.inv(DEPTH.camera_from_color)

    def depth(self, counts, matrix):
        """Depth crop in mm along the color camera's axis; 0 where no point fell."""
        y, x = np.nonzero(counts)
        z = counts[y, x] * MM_PER_COUNT
        own = np.column_stack([self.rays[y, x] * z[:, None], z])
        points = own @ self.motion[:3, :3].T + self.motion[:3, 3]
        place = np.rint(apply_matrix(matrix, COLOR.project(points))).astype(int)
        inside = ((place >= 0) & (place < SHAPE)).all(axis=1)
        crop = np.full(SHAPE, np.inf)
        np.minimum.at(crop, (place[inside, 1], place[inside, 0]), points[inside, 2])
        return np.where(np.isfinite(crop), crop, 0)


def cpu_ms(contenders, rounds, repeats):
    """Least CPU milliseconds of each contender; they take turns."""
    for run in contenders.values():
        run()
    times = {key: [] for key in contenders}
    for _ in range(rounds):
        for key, run in contenders.items():
            begun = time.process_time()
            for _ in range(repeats):
                run()
            times[key].append(1000 * (time.process_time() - begun) / repeats)
    return {key: min(found) for key, found in times.items()}


def depth_errors(crop, points, face, around):
    known = face & (crop > 0)
    apart = np.abs(crop - points[..., 2])
    return {
        "fill": known.sum() / face.sum(),
        "median_mm": np.median(apart[known]),
        "p95_mm": np.percentile(apart[known], 95),
        "inner_above_20_mm": (apart[known] > 20).mean(),
        "ring_above_50_mm": (apart[around & (crop > 0)] > 50).mean(),
    }


def compare_depth(registrar, rounds, repeats):
    subject = head_at(750)
    counts = scene.depth_counts(subject, np.random.default_rng(0), camera=DEPTH)
    matrix = scene.crop_of_head(subject, camera=COLOR)
    device, scatter = RealSense(), Scatter()
    frames = device.pair(counts)
    times = cpu_ms(
        {
            "ours": lambda: registrar.depth(counts, MM_PER_COUNT, matrix),
            "rs_align": lambda: device.align(frames),
            "scatter": lambda: scatter.depth(counts, matrix),
        },
        rounds,
        repeats,
    )
    aligned = warp_nearest(device.align(frames), matrix) * MM_PER_COUNT
    crops = {
        "ours": registrar.depth(counts, MM_PER_COUNT, matrix)[0],
        "rs_align": aligned + np.where(aligned > 0, -DEPTH.camera_from_color[2, 3], 0),
        "scatter": scatter.depth(counts, matrix),
    }
    truth = face_of(subject, matrix)
    values = {f"depth_{key}_ms": value for key, value in times.items()}
    for key, crop in crops.items():
        errors = depth_errors(crop, *truth)
        values |= {f"depth_{key}_{name}": value for name, value in errors.items()}
    return {key: times[key] / times["ours"] for key in ("rs_align", "scatter")}, values


def warp_nearest(frame, matrix):
    return cv2.warpAffine(frame, matrix, SHAPE, flags=cv2.INTER_NEAREST).astype(float)


def crop_pixels(matrix):
    """Color pixels (H * W, 2) of the crop's pixels."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    return apply_matrix(invert_matrix(matrix), np.stack([x.ravel(), y.ravel()], 1).astype(float))


def best_homography(distance_mm):
    """The homography that takes the face's color pixels nearest to where thermal sees them."""
    subject = head_at(distance_mm)
    matrix = scene.crop_of_head(subject, camera=COLOR)
    points, face, _ = face_of(subject, matrix)
    seen = THERMAL.project(points[face])
    found, _ = cv2.findHomography(crop_pixels(matrix)[face.ravel()], seen)
    return found


def thermal_case(registrar, homography, distance_mm):
    """Errors of temperature (centikelvin) and place (thermal pixels), ours and the homography's."""
    subject = head_at(distance_mm)
    matrix = scene.crop_of_head(subject, camera=COLOR)
    counts = scene.depth_counts(subject, np.random.default_rng(1), camera=DEPTH)
    depth, _ = registrar.depth(counts, MM_PER_COUNT, matrix)
    frame = scene.thermal_frame(subject, THERMAL)
    points, face, _ = face_of(subject, matrix)
    truth = scene.temperature(points, subject.head)
    place = THERMAL.project(points.reshape(-1, 3)).reshape(*SHAPE, 2)
    y, x = np.mgrid[: THERMAL.height, : THERMAL.width]
    looked = [
        registrar.thermal((1000 + 50 * a).astype(np.uint16), depth, matrix)[0] for a in (x, y)
    ]
    own_place = (np.stack(looked, axis=-1).astype(float) - 1000) / 50
    fixed = cv2.perspectiveTransform(crop_pixels(matrix)[None], homography)[0].reshape(*SHAPE, 2)
    warm = registrar.thermal(frame, depth, matrix)[0]
    known = face & (warm > 0) & (looked[0] > 0)
    by_homography = cv2.remap(frame, fixed.astype(np.float32), None, cv2.INTER_LINEAR)
    return {
        "centikelvin": np.median(np.abs(warm - truth)[known]),
        "px": np.median(np.hypot(*(own_place - place)[known].T)),
        "px_p95": np.percentile(np.hypot(*(own_place - place)[known].T), 95),
        "fill": known.sum() / face.sum(),
        "homography_centikelvin": np.median(np.abs(by_homography - truth)[known]),
        "homography_px": np.median(np.hypot(*(fixed - place)[known].T)),
    }


def compare_thermal(registrar, rounds, repeats):
    homography = best_homography(750)
    values = {
        f"thermal_{distance}_mm_{key}": value
        for distance in (*DISTANCES_MM, 750 - MOVED_MM)
        for key, value in thermal_case(registrar, homography, distance).items()
    }
    subject = head_at(750)
    matrix = scene.crop_of_head(subject, camera=COLOR)
    depth, _ = registrar.depth(scene.depth_counts(subject, camera=DEPTH), MM_PER_COUNT, matrix)
    frame = scene.thermal_frame(subject, THERMAL)
    times = cpu_ms({"ours": lambda: registrar.thermal(frame, depth, matrix)}, rounds, repeats)
    values["thermal_ours_ms"] = times["ours"]
    error = values["thermal_750_mm_homography_centikelvin"]
    return {"thermal_homography": error / values["thermal_750_mm_centikelvin"]}, values


def compare_color(rounds, repeats):
    """Only the cost: a picture of noise costs what any picture does."""
    rng = np.random.default_rng(2)
    small = rng.integers(0, 255, (45, 80, 3), dtype=np.uint8)
    picture = cv2.resize(small, (COLOR.width, COLOR.height), interpolation=cv2.INTER_CUBIC)
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format="yuv420p")
    sizes = ((1280, 720), (640, 360), (640, 360))
    planes = [
        np.frombuffer(plane, np.uint8).reshape(-1, plane.line_size)[:height, :width]
        for plane, (width, height) in zip(frame.planes, sizes, strict=True)
    ]
    matrix, converter = scene.crop_of_head(head_at(750), camera=COLOR), VideoReformatter()
    times = cpu_ms(
        {
            "ours": lambda: crop_yuv420(
                *planes, matrix, SHAPE, is_full_range=False, is_bt709=False
            ),
            "converted": lambda: warp_color(
                converter.reformat(frame, format="rgb24", threads=1).to_ndarray(), matrix, SHAPE
            ),
        },
        rounds,
        repeats,
    )
    return {"color_converted": times["converted"] / times["ours"]}, {
        f"color_{key}_ms": value for key, value in times.items()
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="3 rounds of 5 instead of 9 of 20")
    rounds, repeats = (3, 5) if parser.parse_args().quick else (9, 20)
    cv2.setNumThreads(1)
    registrar = Registrar(Calibration(COLOR, DEPTH, THERMAL), SHAPE)
    ratios, values = compare_depth(registrar, rounds, repeats)
    for compare in (
        lambda: compare_thermal(registrar, rounds, repeats),
        lambda: compare_color(rounds, repeats),
    ):
        more_ratios, more_values = compare()
        ratios, values = ratios | more_ratios, values | more_values
    result = {
        "benchmark": "registration_speed",
        "ratios": ratios,
        "values": {key: float(value) for key, value in values.items()},
    }
    packages = ("av", "numba", "opencv-python", "pyrealsense2")
    print(json.dumps({**result, "versions": software_versions(*packages)}))


if __name__ == "__main__":
    main()
