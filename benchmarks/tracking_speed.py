"""What following faces costs and how exact it is, against detecting them in every frame.

A face is moved as is known, by up to 60 pixels, 8 degrees and 6 %, under a sensor's noise: an
error is what is left when the motion is taken back. It is the first frame of the real clip where
MAVFER_REAL_MEDIA names its folder, and the simulated subject else. Theirs is dlib's detector on
every full frame with landmarks in its box; both work on the same decoded frames, in turns.

    python benchmarks/tracking_speed.py [--quick]
"""
# ruff: noqa: E402 (threads are told how many they are before numpy loads)

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(name, "1")

import cv2
import dlib
import numpy as np
from skimage import data

from mavfer.study.study import software_versions
from mavfer.vision.geometry import apply_matrix
from mavfer.vision.landmark_model import find_landmark_model
from mavfer.vision.people import PeopleTracker
from mavfer.vision.smoothing import smooth_landmarks
from recording.simulated.cameras import build_calibration
from recording.simulated.motion import build_take
from recording.simulated.render import Renderer
from recording.simulated.subjects import build_subject, draw_traits

MODEL = find_landmark_model().path
WIDTH, HEIGHT = 1280, 720
SIGMA = 3
ROOM = {"color": (640, 480), "depth": (640, 480), "thermal": (320, 256)}
TEXTURES = ("brick", "grass", "gravel", "coins", "page", "camera", "moon", "text", "clock")


class Person:
    """A simulated subject whose picture can be put anywhere."""

    def __init__(self, code):
        traits, subject = draw_traits(1, code), build_subject(1, code)
        self.take = build_take(
            1, code, 1, "bright", traits=traits, pivot_mm=subject.pivot_mm, seconds=10
        )
        self.renderer = Renderer(subject, self.take, build_calibration(1, ROOM).color)
        self.room = cv2.cvtColor(self.renderer.room.color, cv2.COLOR_RGB2GRAY)

    def picture(self, seconds):
        """Gray (480, 640), and where in it the person is, 0 to 1."""
        gray = cv2.cvtColor(self.renderer.color(seconds), cv2.COLOR_RGB2GRAY)
        mask = (self.renderer.depth(seconds) != self.renderer.room.depth_mm).astype(np.float32)
        return gray, cv2.GaussianBlur(mask, None, 1)

    def nose(self, seconds):
        """Where the tip of the nose is in the picture."""
        pose = self.take.head_pose(np.array([seconds]))
        return self.renderer.camera.project(pose[:, :3, 3])[0]


def add_noise(image, seed):
    """An image as a sensor delivers it."""
    noise = np.random.default_rng(seed).normal(0, SIGMA, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def real_clip():
    """All frames of the real clip, gray; none without it."""
    folder = os.environ.get("MAVFER_REAL_MEDIA")
    if folder is None:
        return []
    capture = cv2.VideoCapture(str(Path(folder) / "real_face_640x360_30fps.mp4"))
    frames = []
    while (answer := capture.read())[0]:
        frames.append(cv2.cvtColor(answer[1], cv2.COLOR_BGR2GRAY))
    return frames


def still_picture(clip, person):
    """A gray picture (720, 1280) with one face."""
    small = clip[0] if clip else person.picture(0.0)[0]
    scale = WIDTH / small.shape[1] if clip else 1.0
    shift = (np.array([WIDTH, HEIGHT]) - scale * np.array(small.shape[::-1])) / 2
    matrix = np.array([[scale, 0, shift[0]], [0, scale, shift[1]]])
    kinds = {"flags": cv2.INTER_CUBIC, "borderMode": cv2.BORDER_REPLICATE}
    return cv2.warpAffine(small, matrix, (WIDTH, HEIGHT), **kinds)


def motion(frame, centre):
    """Matrix (2, 3) from the still picture to a frame: 60 px, 8 degrees, 6 %."""
    t = 2 * np.pi * frame / 30
    angle, scale = np.radians(8) * np.sin(0.35 * t + 0.4), 1 + 0.06 * np.sin(0.27 * t)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shift = np.array([60 * np.sin(0.4 * t), 30 * np.sin(0.3 * t + 1)])
    return np.column_stack([turn, centre + shift - turn @ centre])


def moving_film(picture, centre, frames):
    """The picture moved as is known."""
    kinds = {"flags": cv2.INTER_CUBIC, "borderMode": cv2.BORDER_REPLICATE}
    for frame in range(frames):
        moved = cv2.warpAffine(picture, motion(frame, centre), (WIDTH, HEIGHT), **kinds)
        yield add_noise(moved, frame)


def in_picture(track, centre):
    """Landmarks (T, 68, 2) with the motion taken back."""
    back = [
        np.linalg.inv(np.vstack([motion(frame, centre), [0, 0, 1]]))[:2]
        for frame in range(len(track))
    ]
    return np.array([apply_matrix(m, x.astype(float)) for m, x in zip(back, track, strict=True)])


def errors(track, centre):
    """Error, its change from frame to frame (pixels), and the lag in frames."""
    still = in_picture(track, centre)
    face = np.median(still, axis=0)
    truth = np.array([apply_matrix(motion(frame, centre), face) for frame in range(len(track))])
    speed = np.gradient(truth, axis=0)
    late = -np.sum((track - truth) * speed) / np.sum(speed**2)
    about = still - face
    rms = [float(np.sqrt(np.mean(x**2))) for x in (about, np.diff(about, axis=0))]
    return (*rms, float(late))


def take_turns(film):
    """Landmarks and CPU seconds of both ways, frame by frame in turns."""
    detector, predictor = dlib.get_frontal_face_detector(), dlib.shape_predictor(str(MODEL))
    tracker, seconds, tracks = PeopleTracker(MODEL), np.zeros(2), ([], [])
    for frame in film:
        begun = time.process_time()
        (face,) = tracker.update(frame)
        between = time.process_time()
        parts = predictor(frame, detector(frame)[0]).parts()
        points = np.array([(part.x, part.y) for part in parts], float)
        seconds += (between - begun, time.process_time() - between)
        for track, landmarks in zip(tracks, (face.observation.landmarks, points), strict=True):
            track.append(landmarks)
    return *(np.array(track) for track in tracks), seconds


def measure_motion(picture, frames):
    """Cost, error and lag on a face that moves as is known."""
    box = dlib.get_frontal_face_detector()(picture)[0]
    centre = np.array([box.left() + box.right(), box.top() + box.bottom()]) / 2
    list(take_turns(moving_film(picture, centre, 3)))  # loads everything
    ours, theirs, seconds = take_turns(moving_film(picture, centre, frames))
    raw, smooth = errors(ours, centre), errors(smooth_landmarks(ours), centre)
    detected = errors(theirs, centre)
    ratios = {
        "cpu_detecting": seconds[1] / seconds[0],
        "error_detecting": detected[0] / smooth[0],
        "jitter_detecting": detected[1] / smooth[1],
    }
    values = {
        "tracking_ms_per_frame": 1000 * seconds[0] / frames,
        "detecting_ms_per_frame": 1000 * seconds[1] / frames,
        "error_px": raw[0],
        "jitter_px": raw[1],
        "smoothed_error_px": smooth[0],
        "smoothed_jitter_px": smooth[1],
        "smoothing_adds_lag_frames": smooth[2] - raw[2],
        "detecting_error_px": detected[0],
        "detecting_jitter_px": detected[1],
    }
    return ratios, values


def measure_recovery(person, cuts):
    """Share of cuts and absences after which a face is followed within three frames."""
    rng, tracker, recovered = np.random.default_rng(2), PeopleTracker(MODEL), 0
    room, size = person.room, (640, 480)
    for cut in range(cuts):
        gone = int(rng.choice([0, 0, 1, 5, 17, 30, 50]))
        for frame in range(gone):
            tracker.update(add_noise(room, frame))
        scale, shift = rng.uniform(0.75, 1.2), rng.uniform(-90, 90, 2)
        seconds, seen = rng.uniform(0, 9), ()
        middle = np.array(size) / 2
        matrix = np.column_stack([scale * np.eye(2), middle + shift - scale * middle])
        for frame in range(3):
            gray, _ = person.picture(seconds + frame / 30)
            moved = cv2.warpAffine(gray, matrix, size, borderMode=cv2.BORDER_REPLICATE)
            seen = tracker.update(add_noise(moved, cut * 7 + frame))
        nose = matrix @ [*person.nose(seconds + 2 / 30), 1]
        recovered += any(_is_on(face, nose) for face in seen)
    return recovered / cuts


def _is_on(face, nose):
    box = face.observation.box
    return np.hypot(box.x - nose[0], box.y - nose[1]) < 0.35 * box.width


def faceless_films(person):
    """Films without a face: noise of all grains, textures, the simulated room."""
    rng = np.random.default_rng(3)
    for grain in (0, 1, 2, 4, 8, 12, 16, 24):
        white = rng.normal(size=(480, 640)).astype(np.float32)
        noise = cv2.GaussianBlur(white, None, grain) if grain else white
        yield np.clip(128 + 40 * noise / noise.std(), 0, 255)
    for name in TEXTURES:
        image = np.asarray(getattr(data, name)()).astype(np.float32)
        for scale in (0.7, 1.0, 1.6):
            yield cv2.resize(image, None, fx=scale, fy=scale)
    yield person.room.astype(np.float32)
    gray, _ = person.picture(1.0)
    yield gray[::-1].astype(np.float32)


def measure_false_tracks(person, frames):
    """Tracks in films without a face, and films."""
    tracks = films = 0
    for image in faceless_films(person):
        tracker, numbers = PeopleTracker(MODEL), set()
        for frame in range(frames):
            numbers |= {face.track for face in tracker.update(add_noise(image, frame))}
        tracks, films = tracks + len(numbers), films + 1
    return tracks, films


def walks(count, frames):
    """Where people's noses are in each frame: to and fro past each other, and side by side."""
    t = np.arange(frames) / 30
    for gap in (0, 30, 70, 260):
        for speed in (0.5, 1.0):
            phase = np.pi * np.arange(count)[:, None] * (2 / count if count > 2 else 1)
            x = 480 + 260 * np.cos(speed * 2 * t[None] + phase)
            y = 270 + gap * (np.arange(count)[:, None] - (count - 1) / 2) + 8 * np.sin(3 * t)[None]
            yield np.stack([x, np.clip(y, 150, 400)], axis=-1)  # (count, frames, 2)
    spread = np.linspace(180, 780, count)[:, None]
    x = spread + 20 * np.sin(2 * t[None] + np.arange(count)[:, None])
    yield np.stack([x, np.full_like(x, 270.0)], axis=-1)


def group_picture(people, pictures, places):
    """People before a wall, from the back to the front (540, 960)."""
    image = np.full((540, 960), 120.0, np.float32)
    for person, place in zip(people, places, strict=True):
        (gray, mask), nose = pictures[person]
        matrix = np.column_stack([0.62 * np.eye(2), place - 0.62 * nose])
        share = cv2.warpAffine(mask, matrix, (960, 540))
        image += share * (cv2.warpAffine(gray.astype(np.float32), matrix, (960, 540)) - image)
    return image


def measure_switches(people, frames):
    """How often a track went to another person, or two were on one; tracks; share followed.

    The share is of all people and frames, also of those hidden behind another.
    """
    switches = numbers = followed = shown = 0
    for places in walks(len(people), frames):
        tracker, last = PeopleTracker(MODEL), {}
        for frame in range(frames):
            seconds = frame / 30
            pictures = {p: (p.picture(seconds), p.nose(seconds)) for p in people}
            gray = add_noise(group_picture(people, pictures, places[:, frame]), frame)
            on = {}
            for face in tracker.update(gray):
                hit = [i for i in range(len(people)) if _is_on(face, places[i, frame])]
                on[face.track] = hit[-1] if hit else -1
            switches += len(on) - len(set(on.values()))
            switches += sum(last.get(track, person) != person for track, person in on.items())
            last |= on
            followed, shown = followed + len(on), shown + len(people)
        numbers += len(last)
    return switches, numbers, followed / shown


def measure_clip(clip):
    """Frames of the real clip that are followed, and its jitter against detecting every frame."""
    detector, predictor = dlib.get_frontal_face_detector(), dlib.shape_predictor(str(MODEL))
    tracker = PeopleTracker(MODEL)
    seen = [tracker.update(frame) for frame in clip]
    ours = smooth_landmarks(np.array([f[0].observation.landmarks for f in seen if f]))
    shapes = [predictor(frame, detector(frame)[0]).parts() for frame in clip[:17]]
    theirs = np.array([[(part.x, part.y) for part in parts] for parts in shapes], float)
    jitter = [float(np.sqrt(np.mean(np.diff(x[:17], 2, axis=0) ** 2) / 6)) for x in (theirs, ours)]
    values = {"clip_followed_share": sum(len(f) == 1 for f in seen) / len(clip)}
    return {"clip_jitter_detecting": jitter[0] / jitter[1]}, values


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a tenth of the frames")
    is_quick = parser.parse_args().quick
    cv2.setNumThreads(1)
    people, clip = [Person(code) for code in ("S01", "S02", "S03")], real_clip()
    ratios, values = measure_motion(still_picture(clip, people[0]), 60 if is_quick else 300)
    values["moved_is_real"] = bool(clip)
    cuts = 20 if is_quick else 120
    values["recovered_within_3_frames"] = measure_recovery(people[0], cuts)
    false_tracks, films = measure_false_tracks(people[0], 3 if is_quick else 15)
    values |= {"false_tracks": false_tracks, "faceless_films": films}
    for count in (2, 3):
        found = measure_switches(people[:count], 15 if is_quick else 90)
        names = (f"{what}_{count}_people" for what in ("switches", "tracks", "followed_share"))
        values |= dict(zip(names, found, strict=True))
    if clip:
        clip_ratios, clip_values = measure_clip(clip)
        ratios, values = ratios | clip_ratios, values | clip_values
    result = {"benchmark": "tracking_speed", "ratios": ratios, "values": values}
    print(json.dumps({**result, "versions": software_versions("dlib-bin", "opencv-python")}))


if __name__ == "__main__":
    main()
