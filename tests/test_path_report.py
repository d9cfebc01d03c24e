"""From ratings and a trained net to the sections of the report."""

import re
import shutil

import numpy as np
import pytest
from toy_study import FRAMES, NARROW, latents, make_toy_study

from baselines.config import read_config
from baselines.train import train_model
from mavfer import metrics
from mavfer.errors import InvalidFile
from mavfer.labelling import agree_study, label_study
from mavfer.report import write_report
from mavfer.study.ratings import write_rating
from mavfer.study.results import finished_runs
from mavfer.study.splits import write_split

RATERS = {"R1": 1.0, "R2": 0.8, "BAD": -0.9}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A rated, labelled study with a run of each of two models; not to be changed."""
    study = make_toy_study(tmp_path_factory.mktemp("report") / "study")
    for number, session in enumerate(f"S0{n}-001" for n in range(1, 6)):
        times = np.arange(FRAMES) / 30
        for dimension, values in zip(("arousal", "valence"), latents(number), strict=True):
            for rater, gain in RATERS.items():
                rate(study, session, dimension, rater, times=times, values=gain * values)
    label_study(study, name="gold", replace=True)
    folds = [{"train": ("S01", "S02", "S03"), "test": ("S04", "S05")}]
    write_split(study, "default", folds, kind="parts", replace=True)
    for model in ("sta", "mran"):
        train_model(model, study.root, read_config(model, None, (*NARROW, "epochs=2")), seed=1)
    return study


def rate(study, session, dimension, rater, *, times, values):
    about = {"session": session, "dimension": dimension, "rater": rater, "take": 1}
    write_rating(
        study,
        {
            **about,
            "kind": "simulated",
            "scale": {"kind": "bounded", "low": -1, "high": 1},
            "input": {},
            "settings": {"reaction_seconds": 0.0},
            "passes": [{"first_sample": 0, "samples": len(times), "start_seconds": 0}],
            "dropped_frames": 0,
            "video_sha256": None,
            "is_complete": True,
        },
        {
            "media_time": times,
            "frame": range(len(times)),
            "clock_ms": times * 1000,
            "value": np.clip(values, -1, 1),
            "flags": np.zeros(len(times), int),
        },
    )


@pytest.fixture(scope="module")
def page(finished):
    return write_report(finished.root).read_text(encoding="utf-8")


def section(page, title):
    """The words and numbers of one section, without its markup."""
    body = page.split(f"<h2>{title}</h2>")[1].split("</section>")[0]
    return re.sub(r"<svg.*?</svg>", "", body, flags=re.DOTALL)


def cells(page, title, row):
    """The cells of the row that begins with a word, in the tables of a section."""
    head = rf'<tr><td class="text">{re.escape(row)}</td>'
    (found,) = re.findall(rf"{head}(.*?)</tr>", section(page, title))
    return re.findall(r"<td[^>]*>(.*?)</td>", found)


@pytest.mark.parametrize("model", ["sta", "mran"])
@pytest.mark.parametrize(
    ("group", "sessions"),
    [("dark", {"S04-001"}), ("bright", {"S05-001"}), ("all", {"S04-001", "S05-001"})],
)
def test_the_table_of_scores_holds_what_the_predictions_give(
    page, finished, model, group, sessions
):
    (run,) = [run for run in finished_runs(finished) if run.model == model]
    columns = run.predictions()
    rows = [at for at, session in enumerate(columns["session"]) if session in sessions]
    expected = [
        measure(*(np.array([columns[key][at] for at in rows], float) for key in (name, label)))
        for name, label in (("arousal", "arousal_label"), ("valence", "valence_label"))
        for measure in (metrics.ccc, metrics.pearson, metrics.rmse)
    ]

    shown = [re.sub("</?b>", "", cell) for cell in cells(page, "Result", f"{model}, {group}")]
    assert shown == [f"{value:.2f}" for value in expected]


def test_the_best_of_each_lighting_is_bold(page):
    for group in ("dark", "bright", "all"):
        both = [cells(page, "Result", f"{model}, {group}") for model in ("sta", "mran")]
        for column, pair in enumerate(zip(*both, strict=True)):
            numbers = [float(re.sub("</?b>", "", cell)) for cell in pair]
            best = min(numbers) if column % 3 == 2 else max(numbers)
            bold = [
                number for cell, number in zip(pair, numbers, strict=True) if cell.startswith("<b>")
            ]
            assert bold == [best]


def test_who_was_held_out_and_how_large_the_nets_are_is_said(page, finished):
    words = section(page, "Result")

    assert "Scored on 2 subjects on whom nothing was trained (S04, S05; part" in words
    for run in finished_runs(finished):
        assert f"narrow (8-12-16, {run.document['parameters']:,} parameters)" in words


def test_agreement_is_that_of_the_command(page, finished):
    for each in agree_study(finished).dimensions:
        shown = cells(page, "Agreement of the raters", "CCC")
        assert any(cell.startswith(f"{each.overall['ccc'].value:.2f} [") for cell in shown)
    bad = cells(page, "Agreement of the raters", "BAD, arousal")
    assert bad[4] == "0.00"
    assert bad[5].startswith("CCC -")


def test_raters_from_truth_and_flagged_ones_are_told_apart(page):
    assert "they see no picture but rate from the truth" in section(page, "Ratings and label")
    assert ">flagged: BAD<" in page
    assert ">band of the label<" in page


def test_every_part_of_the_journey_has_a_section_and_a_link(page):
    titles = ("Result", "Ratings and label", "Agreement of the raters", "Training and predictions")
    for title in (*titles, "Attention"):
        assert f"<h2>{title}</h2>" in page
        assert f'">{title}</a>' in page
    assert "from camera to score" in page


def test_the_page_loads_nothing_and_runs_nothing(page):
    assert "<script" not in page
    assert not re.findall(r'(?:src|href)="(?!data:|#)', re.sub(r"<svg.*?</svg>", "", page))


def test_a_torn_run_is_one_line_that_names_the_file(tmp_path, finished):
    root = shutil.copytree(finished.root, tmp_path / "study")
    torn = sorted(root.glob("results/*/attention.npz"))[0]
    torn.write_bytes(torn.read_bytes()[:100])

    with pytest.raises(InvalidFile, match=r"attention\.npz: not readable"):
        write_report(root)
