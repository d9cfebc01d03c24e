"""A study that went the whole way from the simulated camera to the shard, and its truth.

Tests get it as the fixture `journey`; it is made once and must not be changed.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from scipy.optimize import minimize

import mavfer
from mavfer.cli import run
from mavfer.study.study import Study
from mavfer.study.truth import Truth, read_truth
from mavfer.vision.geometry import Calibration
from mavfer.vision.quality import face_hull
from recording.simulated import SimulatedRig

SECONDS = 4
RATES = ("--rate", "color=15", "--rate", "depth=15", "--rate", "thermal=12.5")
BRIGHT, DARK = "P01-001", "P01-002"


@dataclass(frozen=True)
class Journey:
    """The study, and what is true of its sessions."""

    root: Path

    @property
    def dataset(self):
        return mavfer.load(self.root, labels=None)

    def truth(self, session) -> Truth:
        return read_truth(Study.open(self.root).session_folder(session) / "truth.h5")

    def rig(self, session) -> SimulatedRig:
        """The rig that recorded the session, to render what it saw without noise."""
        asked = self.truth(session).settings
        kept = ("seconds", "lighting", "subject_code", "take", "start_ns", "rates_hz")
        sizes = {name: tuple(size) for name, size in asked["sizes"].items()}
        options = {key: asked[key] for key in kept}
        return SimulatedRig(asked["seed"], pace="fast", sizes=sizes, **options)


def record_and_preprocess(root) -> Journey:
    """One subject in the light and in the dark, through the public commands."""
    commands = [["init", str(root), "--name", "journey"]]
    for lighting in ("bright", "dark"):
        commands.append(
            [
                *("record", str(root), "--subject", "P01", "--rig", "simulated", "--seed", "5"),
                *("--seconds", str(SECONDS), "--lighting", lighting, "--pace", "fast", *RATES),
            ]
        )
    commands.append(["preprocess", str(root)])
    for command in commands:
        assert run(command) == 0, command
    return Journey(root)


@dataclass(frozen=True)
class TrueCrops:
    """What a frame's crops would be without noise, and where the face is in them."""

    depth_mm: np.ndarray
    celsius: np.ndarray
    hull: np.ndarray


def true_crops(journey, session, frames):
    """Noise-free crops of some frames of a session, by their number; do not change them."""
    return _true_crops(journey, session, tuple(frames))


@lru_cache(maxsize=4)
def _true_crops(journey, session, frames):
    truth, rig = journey.truth(session), journey.rig(session)
    color = Calibration.from_document(truth.calibration).color
    arrived = ~truth.members["/color/dropped"]
    times = truth.members["/color/true_ns"][arrived]
    landmarks = truth.members["/color/landmarks"][arrived]
    matrices = journey.dataset[session].crop_matrix
    crops = {}
    for frame in frames:
        matrix = matrices[frame]
        drawn = [
            rig.render_truth(stream, color, int(times[frame])) for stream in ("depth", "thermal")
        ]
        depth_mm, celsius = (cv2.warpAffine(image, matrix, (224, 224)) for image in drawn)
        crops[frame] = TrueCrops(depth_mm, celsius, face_hull(landmarks[frame], matrix, (224, 224)))
    return crops


def shift_between(image, truth, hull, known, *, limit):
    """By how many pixels `image` lies beside `truth`, where both are known on the face.

    The shift with the least mean difference; differences beyond `limit` (rims of eyes and mouth,
    where a coarser camera sees the one side or the other) count no more than `limit`.
    """
    inner = (cv2.erode(hull.astype(np.uint8), np.ones((9, 9))) > 0) & known
    image = cv2.GaussianBlur(np.where(known, image, truth).astype(np.float32), (0, 0), 1.5)
    truth = cv2.GaussianBlur(truth.astype(np.float32), (0, 0), 1.5)

    def difference(shift):
        moved = cv2.warpAffine(
            truth, np.float32([[1, 0, -shift[0]], [0, 1, -shift[1]]]), (224, 224)
        )
        apart = (image - moved)[inner]
        return np.minimum(np.abs(apart - np.median(apart)), limit).mean()

    start = {"initial_simplex": [[0, 0], [1, 0], [0, 1]], "xatol": 0.02, "fatol": 1e-5}
    return np.hypot(*minimize(difference, [0, 0], method="Nelder-Mead", options=start).x)
