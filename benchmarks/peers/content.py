"""Studies to measure on: simulated subjects, through this project's own recorder and pipeline."""

from __future__ import annotations

from contextlib import contextmanager, redirect_stderr
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory

from mavfer.preprocess import Options, preprocess_study
from mavfer.study.study import Study
from recording.recorder import record_take
from recording.simulated import SimulatedRig

__all__ = ["LIGHTINGS", "existing_or_new", "make_study"]

LIGHTINGS = ("bright", "dark")


def make_study(root: Path, *, sessions: int, frames: int) -> Path:
    """A study of simulated subjects, in bright light and in the dark in turns.

    Cameras run at 30, 30 and 25 frames a second; crops are 224x224 under the default alignment.
    """
    study = Study.create(root, name="benchmark")
    for number in range(sessions):
        subject, lighting = f"S{number + 1:02d}", LIGHTINGS[number % len(LIGHTINGS)]
        rig = SimulatedRig(
            number,
            seconds=frames / 30,
            lighting=lighting,
            pace="fast",
            subject_code=subject,
            drop_share=0,
        )
        record_take(study, rig, subject=subject)
    with redirect_stderr(StringIO()):  # the progress bar
        outcome = preprocess_study(root, Options(), jobs=2)
    assert outcome.is_good, outcome.notices
    return root


@contextmanager
def existing_or_new(folder: Path | None, *, sessions: int, frames: int):
    """The study in `folder`, made there first where there is none; without a folder, for a while.

    Yields the study's folder and one for the peers' files, which is removed afterwards.
    """
    with TemporaryDirectory(prefix="mavfer-bench-") as scratch:
        root = Path(scratch) / "study" if folder is None else folder
        if not (root / "study.json").is_file():
            make_study(root, sessions=sessions, frames=frames)
        files = Path(scratch) / "peers"
        files.mkdir()
        yield root, files
