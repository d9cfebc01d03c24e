"""The steps of `mavfer demo`, in the order in which a study is made.

What is there already is kept, so a demo that was stopped goes on where it was.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from mavfer.demo.commands import WORKERS, serving, show
from mavfer.demo.takes import record_takes
from mavfer.demo.training import score_models, scores_text, train_models
from mavfer.errors import AlreadyThere
from mavfer.files import locked
from mavfer.progress import say
from mavfer.report import write_report
from mavfer.study.study import Study

if TYPE_CHECKING:
    from pathlib import Path

    from mavfer.demo.commands import Run

__all__ = ["run_demo"]

_NAME: Final = "mavfer demo"
_SEED: Final = 1
"""Of raters, split and weights."""

_LABEL: Final = "gold"
_SPLIT: Final = "default"


@dataclass(frozen=True)
class _Plan:
    """How much the demo shows."""

    subjects: int
    held_out: int
    """Subjects that no network is trained on."""
    seconds: int
    rate_hz: float
    """Of color and depth; thermal runs a little slower, as such cameras do."""
    raters: int
    """Simulated ones; the last is a bad one."""

    def codes(self) -> list[str]:
        """Subject codes: P01, P02 and so on."""
        return [f"P{number:02d}" for number in range(1, self.subjects + 1)]

    def rates(self) -> dict[str, float]:
        """Frames a second of each stream."""
        return {"color": self.rate_hz, "depth": self.rate_hz, "thermal": self.rate_hz * 5 / 6}


_QUICK: Final = _Plan(subjects=8, held_out=2, seconds=12, rate_hz=10, raters=5)
_FULL: Final = _Plan(subjects=12, held_out=3, seconds=20, rate_hz=15, raters=6)


def run_demo(out: Path, run: Run, *, is_full: bool = False) -> dict[str, Any]:
    """Makes or continues the demo's study in the folder `out`.

    Args:
        out: The folder.
        run: Runs a command line such as ["check", "S"] and gives its exit code.
        is_full: More subjects and longer takes.

    Returns:
        The document that `mavfer demo --json` prints: study, report, seconds, scores.

    Raises:
        AlreadyThere: `out` holds something that is not a study.
        Busy: Another demo is at work in `out`.
        DataError: One of the commands failed; the message is the command's own.
    """
    started = time.monotonic()
    plan = _FULL if is_full else _QUICK
    with locked(out / ".demo.lock", f"{out}: a demo is run"):
        if not (out / "study.json").exists():
            show(run, ["init", str(out), "--name", _NAME, "--licence", "CC0-1.0"])
        study = _own_study(out)
        record_takes(study, run, subjects=plan.codes(), seconds=plan.seconds, rates=plan.rates())
        show(run, ["preprocess", str(out), "-j", str(WORKERS)])
        _rate(study, run, plan.raters)
        _label(study, run, plan)
        folders = train_models(study, run, label=_LABEL, split=_SPLIT, seed=_SEED)
        scores = score_models(run, folders)
        show(run, ["check", str(out)])
        show(run, ["info", str(out)])
        report = write_report(out)
    say(f"\n{scores_text(scores)}\n")
    return {
        "study": str(out),
        "report": str(report),
        "seconds": round(time.monotonic() - started, 1),
        "scores": scores,
    }


def _own_study(out: Path) -> Study:
    """The study in `out`, if a demo made it: unfinished takes of others are not ours to delete."""
    study = Study.open(out)
    if study.name != _NAME:
        message = f"{out}: holds the study '{study.name}', not a demo's. Choose another --out"
        raise AlreadyThere(message)
    return study


def _rate(study: Study, run: Run, raters: int) -> None:
    """Serves the study to simulated raters, who rate it over HTTP, and collects their ratings."""
    folder = str(study.root)
    with serving(run, ["annotate", "serve", folder, "--port", "0", "--json"]) as served:
        say(f"raters are served at {served['url']}")
        rated_by = ["--raters", str(raters), "--seed", str(_SEED)]
        show(run, ["annotate", "simulate", folder, "--url", served["url"], *rated_by])
    show(run, ["annotate", "collect", folder])


def _label(study: Study, run: Run, plan: _Plan) -> None:
    """Measures agreement, fuses the label and divides the subjects.

    Label and split of an earlier, smaller demo in the same folder are replaced; the same ones stay.
    """
    folder = str(study.root)
    show(run, ["agree", folder])
    show(run, ["label", folder, "--name", _LABEL, "--replace"])
    share = plan.held_out / len({line.partition("-")[0] for line in study.sessions()})
    shares = ["--test", f"{share:.4g}", "--val", "0"]
    show(run, ["split", folder, "--name", _SPLIT, *shares, "--seed", str(_SEED), "--replace"])
