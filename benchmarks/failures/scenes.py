"""Simulated faces to which something known goes wrong, and what preprocessing makes of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from mavfer.preprocess.head_path import DepthSource, HeadPath
from mavfer.preprocess.watching import Watch
from mavfer.vision.alignment import crop_matrix, find_preset, warp_color
from mavfer.vision.geometry import Calibration
from mavfer.vision.landmark_model import find_landmark_model
from mavfer.vision.landmarks import is_found
from mavfer.vision.pose import picture_pose
from mavfer.vision.quality import CropQuality, measure_crop
from mavfer.vision.registration import Registrar
from recording.simulated.cameras import build_calibration
from recording.simulated.head import PIVOT_MM
from recording.simulated.motion import TABLE_HZ, Take, build_take
from recording.simulated.render import Renderer
from recording.simulated.subjects import Subject, build_subject, draw_traits
from recording.simulated.truth import locate_landmarks

__all__ = ["FAILURES", "MEASURES", "RECORD", "clip"]

RATE_HZ = 15
SECONDS = 8
SIZES = {"color": (640, 480), "depth": (640, 480), "thermal": (320, 256)}
INNER = slice(17, 68)
OUTER_EYES = (36, 45)
YAW, PITCH, X = 7, 8, 10
"""Columns of `Take.table`."""
MEASURES = ("agreement", "score", "blur", "brightness", "inside", "depth_coverage")
MEASURES += ("yaw", "pitch", "carry_residual_mm", "carry_uncertainty_mm")
DARK_FROM = 20
"""Frame in which the light goes out where it does."""

Image = NDArray[np.uint8]


class Noise:
    """Random numbers; normal ones of a whole picture come from a bank, read at a random place."""

    _MARGIN = 1 << 18

    def __init__(self, *seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        length = 3 * SIZES["color"][0] * SIZES["color"][1] + self._MARGIN
        self._bank = self.rng.standard_normal(length, np.float32)

    def white(self, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Normal numbers of unit variance."""
        begin = int(self.rng.integers(self._MARGIN))
        return self._bank[begin : begin + int(np.prod(shape))].reshape(shape)

    def coarse(self, shape: tuple[int, ...], pixels: int) -> NDArray[np.float32]:
        """The same, varying over so many pixels (H, W)."""
        small = self.rng.standard_normal((shape[0] // pixels, shape[1] // pixels), np.float32)
        return cv2.resize(small, shape[1::-1], interpolation=cv2.INTER_CUBIC)


RECORD = np.dtype(
    [
        *(("failure", "U16"), ("subject", "<i4"), ("frame", "<i4"), ("error", "<f4")),
        *((name, "<f4") for name in MEASURES),
        ("is_carried", "?"),
    ]
)
"""One frame that has landmarks, or had a face to find: `error` is NaN where none was found."""


@dataclass(frozen=True)
class Failure:
    """Something that goes wrong, more and more and less again in the course of a clip."""

    spoil: Callable[[Image, float, Noise], Image] = lambda image, _, __: image
    """What becomes of a picture at a strength from 0 to 1."""
    move: Callable[[NDArray[np.float64], NDArray[np.float64]], None] | None = None
    """Changes the table of movements (N, 13) at the strengths (N,)."""
    exposure_seconds: float = 0.0
    shift_pixels: float = 0.0
    """How far the picture, and the truth, are moved to the left at strength 1."""
    has_depth: bool = False
    holes: float = 0.0
    """Share of the depth image that is missing at strength 1."""
    push: float = 0.0
    """How far the tracker's landmarks are put away at strength 1, in outer-eye distances."""


def blurred(image: Image, strength: float, _: Noise) -> Image:
    """Out of focus: a Gaussian of up to 9 pixels."""
    return cv2.GaussianBlur(image, (0, 0), 0.3 + 9 * strength)


def darkened(image: Image, strength: float, noise: Noise) -> Image:
    """Less light, down to 1/33, with the noise of a camera that tries to make up for it."""
    gain = 0.03**strength
    white = (2 + 8 * strength) * noise.white(image.shape)
    blotches = 6 * strength * noise.coarse(image.shape, 5)[..., None]
    return np.clip(np.float32(gain) * image + white + blotches, 0, 255).astype(np.uint8)


def covered(image: Image, strength: float, noise: Noise) -> Image:
    """A hand before the face: palm and four fingers, shaded, come up from below."""
    hand, scale = np.zeros(image.shape[:2], np.uint8), image.shape[0] / 480
    middle = np.array([320.0, 480 + 130 - 400 * strength])
    for turn in np.radians([-24, -9, 5, 19]):
        tip = middle + 150 * np.array([np.sin(turn), -np.cos(turn)])
        ends = [tuple((scale * end).astype(int)) for end in (middle, tip)]
        cv2.line(hand, *ends, 255, int(34 * scale), cv2.LINE_AA)
    palm = tuple((scale * middle).astype(int))
    cv2.ellipse(hand, palm, (int(72 * scale), int(88 * scale)), 0, 0, 360, 255, -1, cv2.LINE_AA)
    shade = cv2.GaussianBlur(hand, (0, 0), 14 * scale).astype(np.float32)[..., None] / 255
    skin = np.array([196, 148, 122], np.float32) * (0.45 + 0.55 * shade)
    skin = skin + 3 * noise.white(image.shape)
    share = hand.astype(np.float32)[..., None] / 255
    return np.clip((1 - share) * image + share * skin, 0, 255).astype(np.uint8)


def turned(column: int, degrees: float) -> Callable[..., None]:
    """The head turns by up to so many degrees."""

    def move(table: NDArray[np.float64], strength: NDArray[np.float64]) -> None:
        table[:, column] += np.radians(degrees) * strength

    return move


def shaken(table: NDArray[np.float64], strength: NDArray[np.float64]) -> None:
    """To and fro by up to 70 mm, twice a second."""
    seconds = np.arange(len(table)) / TABLE_HZ
    table[:, X] += 70 * strength * np.sin(2 * np.pi * 2 * seconds)


FAILURES = {
    "none": Failure(),
    "blur": Failure(spoil=blurred),
    "darkness": Failure(spoil=darkened),
    "hand": Failure(spoil=covered),
    "turned aside": Failure(move=turned(YAW, 55)),
    "turned up": Failure(move=turned(PITCH, -40)),
    "turned down": Failure(move=turned(PITCH, 40)),
    "motion": Failure(move=shaken, exposure_seconds=0.03),
    "out of frame": Failure(shift_pixels=420),
    "put away": Failure(push=0.5),
    "dark, depth": Failure(spoil=darkened, has_depth=True),
    "depth holes": Failure(spoil=darkened, has_depth=True, holes=0.8),
}


def clip(name: str, seed: int) -> NDArray[np.void]:
    """Every frame of one clip in which the face is before the camera."""
    failure, noise = FAILURES[name], Noise(seed, len(name))
    strengths = strength_at(np.arange(RATE_HZ * SECONDS) / RATE_HZ)
    scene = Scene(seed, failure)
    source = scene.depth(noise)
    path = HeadPath(len(strengths), source)
    watch = Watch(find_landmark_model().path, len(strengths))
    pictures = []
    for frame, strength in enumerate(strengths):
        image = scene.color(frame, strength, noise)
        if failure.push and strength > 0 and frame % RATE_HZ == 0:
            put_away(watch, failure.push * strength, noise.rng)
        seen = watch.see(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
        path.step(nearest(seen, scene.truth[frame]))
        pictures.append(image)
    rows = measured(path, pictures, scene, source)
    rows["failure"], rows["subject"] = name, seed
    return rows


def strength_at(seconds: NDArray[np.float64]) -> NDArray[np.float64]:
    """0 for a while, up to 1 and back to 0 twice, the second time faster."""
    return np.interp(seconds, [0, 1, 3.4, 4.2, 5, 5.8, 6.6, 7.4, 8], [0, 0, 1, 1, 0, 0, 1, 0, 0])


class Scene:
    """A subject before a color and a depth camera, and where its landmarks are."""

    def __init__(self, seed: int, failure: Failure) -> None:
        self.failure = failure
        self.cameras: Calibration = build_calibration(seed, SIZES)
        self.subject: Subject = build_subject(seed, f"calibration-{seed}")
        self.take = self._moved(seed)
        self._renderer = Renderer(self.subject, self.take, self.cameras.color)
        self.seconds = np.arange(RATE_HZ * SECONDS) / RATE_HZ
        self.strengths = strength_at(self.seconds)
        points = locate_landmarks(self.subject, self.take, self.seconds)
        flat = self.cameras.color.project(points.reshape(-1, 3))
        self.truth = flat.reshape(len(self.seconds), 68, 2)
        self.truth[..., 0] -= np.rint(failure.shift_pixels * self.strengths)[:, None]

    def _moved(self, seed: int) -> Take:
        code = f"calibration-{seed}"
        traits = draw_traits(seed, code)
        pivot = PIVOT_MM * traits.size
        take = build_take(seed, code, 1, "bright", traits=traits, pivot_mm=pivot, seconds=SECONDS)
        table = take.table.copy()
        if self.failure.move is not None:
            self.failure.move(table, strength_at(np.arange(len(table)) / TABLE_HZ))
        return replace(take, table=table)

    def color(self, frame: int, strength: float, noise: Noise) -> Image:
        """A frame as the camera sees it when something goes wrong."""
        lasting = self.failure.exposure_seconds
        times = self.seconds[frame] + lasting * (np.arange(5) / 4 - 0.5 if lasting else np.zeros(1))
        images = [self._renderer.color(float(time)) for time in times]
        image = np.mean(images, axis=0, dtype=np.float32) + 2 * noise.white(images[0].shape)
        moved = round(self.failure.shift_pixels * strength)
        image = np.roll(np.clip(image, 0, 255).astype(np.uint8), -moved, axis=1)
        if moved:
            image[:, -moved:] = image[:, -moved - 1 : -moved]
        if self.failure.has_depth:
            strength = float(frame >= DARK_FROM)
        return self.failure.spoil(image, strength, noise)

    def depth(self, noise: Noise) -> DepthSource | None:
        """Noisy depth with holes; None where there shall be none."""
        if not self.failure.has_depth:
            return None
        renderer = Renderer(self.subject, self.take, self.cameras.depth)
        counts = np.stack(
            [
                self._holed(renderer.depth(float(time)), self.failure.holes * strength, noise)
                for time, strength in zip(self.seconds, self.strengths, strict=True)
            ]
        )
        return DepthSource(counts, np.arange(len(counts)), 1.0, self.cameras)

    def _holed(
        self, depth_mm: NDArray[np.float32], share: float, noise: Noise
    ) -> NDArray[np.uint16]:
        """About 1 mm of noise, and blobs without depth over a share of the picture."""
        field = noise.coarse(depth_mm.shape, 16)
        noisy = depth_mm * (1 + 0.006 * cv2.GaussianBlur(noise.white(depth_mm.shape), (0, 0), 2))
        return np.where(field > np.quantile(field, share), noisy, 0).astype(np.uint16)


def nearest(seen: NDArray[np.void], truth: NDArray[np.float64]) -> NDArray[np.void] | None:
    """The sighting next to the true face; None where there is none within a face's width."""
    if not len(seen):
        return None
    apart = np.hypot(*(seen["landmarks"].mean(axis=1) - truth.mean(axis=0)).T)
    return seen[apart.argmin()] if apart.min() < 2 * eye_distance(truth) else None


def put_away(watch: Watch, share: float, rng: np.random.Generator) -> None:
    """Moves what the tracker takes for the landmarks by a share of the outer-eye distance."""
    state = watch.state()
    name = next(name for name in state if name.endswith("landmarks"))
    landmarks = state[name]
    if len(landmarks):
        angle = rng.uniform(0, 2 * np.pi)
        away = share * eye_distance(landmarks[0]) * np.array([np.cos(angle), np.sin(angle)])
        watch.restore({**state, name: landmarks + away})


def eye_distance(points: NDArray[np.floating]) -> float:
    return float(np.hypot(*(points[OUTER_EYES[0]] - points[OUTER_EYES[1]])))


def measured(
    path: HeadPath, pictures: list[Image], scene: Scene, source: DepthSource | None
) -> NDArray[np.void]:
    """What a shard would hold of each frame, and how wrong it is."""
    preset, rows = find_preset("mavfer224"), np.zeros(len(pictures), RECORD)
    shape = preset.crop_shape(*pictures[0].shape[:2])
    registrar = Registrar(scene.cameras, shape)
    smoothed = path.smoothed(0, len(pictures))
    for frame, (image, landmarks) in enumerate(zip(pictures, smoothed, strict=True)):
        matrix, depth = crop_matrix(landmarks, preset), None
        if not is_found(landmarks):
            quality = CropQuality(*(np.nan,) * 6)
        else:
            counts = None if source is None else source.frame(frame)
            if counts is not None:
                depth = registrar.depth(counts, 1.0, matrix)[0]
            crop = warp_color(image, matrix, shape)
            quality = measure_crop(crop, landmarks, matrix, image.shape[:2], depth_crop=depth)
        rows[frame] = record(path.rows[frame], quality)
        rows[frame]["error"] = error_percent(landmarks, scene.truth[frame])
        rows[frame]["frame"] = frame
        pose = picture_pose(landmarks, scene.cameras.color) if is_found(landmarks) else None
        rows[frame]["yaw"] = abs(pose.yaw) if pose else np.nan
        rows[frame]["pitch"] = abs(pose.pitch) if pose else np.nan
    return rows


def record(row: NDArray[np.void], quality: CropQuality) -> NDArray[np.void]:
    """One frame's measures."""
    found = np.zeros((), RECORD)
    for name in MEASURES:
        if name in ROW:
            found[name] = row[ROW[name]]
        elif hasattr(quality, name):
            found[name] = getattr(quality, name)
    found["is_carried"] = row["is_carried"]
    return found


ROW = {
    "agreement": "agreement",
    "score": "score",
    "carry_residual_mm": "residual_mm",
    "carry_uncertainty_mm": "uncertainty_mm",
}
"""Measures that stand in the rows of the head's path, under their names there."""


def error_percent(landmarks: NDArray[np.floating], truth: NDArray[np.float64]) -> float:
    """Mean distance of the inner points from the truth, in % of the outer-eye distance."""
    apart = np.hypot(*(landmarks[INNER] - truth[INNER]).T)
    return float(100 * apart.mean() / eye_distance(truth))
