"""The design "split information" through the simulated rig: recorded, preprocessed, labelled.

Ours. What `baselines.synthetic` draws straight into shards goes the whole way here: three simulated
cameras record subjects whose depth shows valence alone and whose thermal image shows arousal alone,
and clocks are fitted, faces tracked, streams registered and crops cut as for real recordings. A
leak would show: of arousal into depth, for one, where a crop followed the mouth that color sees.

There is no decoy face here, since preprocessing follows one subject and cuts the other away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

import mavfer
from baselines.synthetic import SPLIT, TRUTH, write_known_label
from mavfer.demo.commands import WORKERS, show
from mavfer.demo.takes import record_takes
from mavfer.study.session import Session
from mavfer.study.splits import write_split
from mavfer.study.study import Study
from mavfer.study.truth import latent_at_frames

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

__all__ = ["RIG", "SHUFFLED", "RigDesign", "make_rig_study", "write_true_labels"]

SHUFFLED: Final = "shuffled"
"""Name of the label that belongs to other subjects."""

_UNLABELLED_SECONDS: Final = 2.0
"""A take in the dark begins lit, so that the face can be found; nothing is asked of that time."""


@dataclass(frozen=True)
class RigDesign:
    """How many people are recorded, and how long; everybody in bright light and in the dark."""

    name: str
    training_subjects: int
    test_subjects: int
    seconds: int
    rate_hz: float


RIG: Final = RigDesign("rig", training_subjects=14, test_subjects=10, seconds=12, rate_hz=8)


def make_rig_study(root: Path, design: RigDesign) -> Study:
    """Records and preprocesses the study in `root`, or goes on where it was stopped.

    Raises:
        AlreadyThere: `root` holds other files.
        DataError: A command failed; the message is the command's own.
    """
    from mavfer.cli import run

    if not (root / "study.json").exists():
        show(run, ["init", str(root), "--name", f"synthetic: {design.name}"])
    study = Study.open(root)
    count = design.training_subjects + design.test_subjects
    subjects = [f"P{number:02d}" for number in range(1, count + 1)]
    rates = dict.fromkeys(("color", "depth", "thermal"), design.rate_hz)
    asked = ("--shows", "split")
    record_takes(study, run, subjects=subjects, seconds=design.seconds, rates=rates, asked=asked)
    show(run, ["preprocess", str(root), "-j", str(WORKERS)])
    parts = {
        "train": subjects[: design.training_subjects],
        "test": subjects[design.training_subjects :],
    }
    for chosen in parts.values():
        write_true_labels(study, chosen)
    write_split(study, SPLIT, [parts], kind="parts", seed=0)
    return study


def write_true_labels(study: Study, subjects: Sequence[str]) -> None:
    """Labels the subjects' sessions with what is true of them, and with what is of the next one.

    Args:
        study: Simulated takes, preprocessed; each subject has the same number of them.
        subjects: Codes; the last one's next is the first.
    """
    dataset = mavfer.load(study.root, labels=None)
    traces = {rec.session: _truth_of(study, rec) for rec in dataset if rec.subject in subjects}
    ahead = dict(zip(subjects, [*subjects[1:], *subjects[:1]], strict=True))
    for session, (seconds, own) in traces.items():
        subject, _, number = session.rpartition("-")
        other_seconds, other = traces[f"{ahead[subject]}-{number}"]
        moved = {name: np.interp(seconds, other_seconds, other[name]) for name in own}
        for name, known in ((TRUTH, own), (SHUFFLED, moved)):
            is_asked = seconds >= _UNLABELLED_SECONDS
            asked = {key: np.where(is_asked, value, np.nan) for key, value in known.items()}
            about = {"design": "split"}
            write_known_label(study, session, seconds, asked, name=name, settings=about)


def _truth_of(study: Study, rec: Any) -> tuple[NDArray[np.float64], dict[str, NDArray[np.float64]]]:
    """Times (T,) of a recording's frames and by dimension what was true then."""
    take = Session.open(study.session_folder(rec.session))
    return rec.time_seconds, {name: latent_at_frames(take, name) for name in rec.dimensions}
