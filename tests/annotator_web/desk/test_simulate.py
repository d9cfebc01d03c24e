import contextlib
import io
import json
import runpy
import shutil
from pathlib import Path

import numpy as np
import pytest
from annotated_study import ANNOTATION, Server, make_simulated_study

from annotator_web.desk.simulate import Trace, make_rater, rate, true_trace
from annotator_web.project import Dimension, open_project
from mavfer.cli import run
from mavfer.errors import NotFound
from mavfer.files import write_json
from mavfer.labelling import agree_study
from mavfer.study.ratings import find_ratings, rating_at, read_rating
from mavfer.study.study import Study

FACTORY = Path(__file__).parents[2] / "mavfer" / "shard_factory.py"

AROUSAL = Dimension("arousal", -1, 1, "calm", "excited")
VALENCE = Dimension("valence", -1, 1, "unpleasant", "pleasant")


@pytest.fixture(scope="module")
def simulated(tmp_path_factory):
    """Two simulated takes and their media; not to be changed."""
    return make_simulated_study(tmp_path_factory.mktemp("simulated") / "study")


def rated_copy(simulated, folder, raters=4, **annotation):
    """A copy, rated twice by the same simulated raters; and what the commands printed."""
    study = Study.open(Path(shutil.copytree(simulated.root, folder)))
    asked = {"sessions": study.sessions(), "calibration_clip": True, "hidden_repeats": 0.5}
    write_json(study.root / "annotation.json", {**ANNOTATION, **asked, **annotation})
    server = Server(study.root).start()
    command = ["annotate", "simulate", str(study.root), "--url", server.url]
    command += ["--raters", str(raters)]
    printed = []
    try:
        for _ in range(2):
            with contextlib.redirect_stdout(io.StringIO()) as output:
                assert run([*command, "--seed", "7", "--json"]) == 0
            printed.append(json.loads(output.getvalue()))
    finally:
        server.stop()
    assert run(["annotate", "collect", str(study.root)]) == 0
    return study, *printed


@pytest.fixture(scope="module")
def rated(simulated, tmp_path_factory):
    """`simulated`, rated; not to be changed."""
    return rated_copy(simulated, tmp_path_factory.mktemp("rated") / "study")


def files_of(study):
    return {p.name + p.parent.name: p.read_bytes() for p in study.ratings_folder.rglob("*.csv")}


def test_simulated_raters_rate_everything_through_the_server(rated):
    study, first, second = rated
    ratings = [
        read_rating(path)
        for session in study.sessions()
        for *_, path in find_ratings(study, session)
    ]
    lags = {r["rater"]: r["lag_seconds"] for r in first["raters"]}

    assert (first["takes"], second["takes"]) == (16, 0)
    assert [r["fault"] == "none" for r in first["raters"]] == [True, True, True, False]
    assert len(ratings) == 24
    assert sum(rating.is_hidden_repeat for rating in ratings) == 8
    for rating in ratings:
        document = rating.document
        assert document["kind"] == "simulated"
        assert rating.is_complete
        assert document["settings"]["reaction_seconds"] == pytest.approx(
            lags[rating.rater], abs=0.05
        )


def test_hidden_repeats_say_how_far_raters_agree_with_themselves(rated, tmp_path):
    rated_study, *_ = rated
    study = Study.open(Path(shutil.copytree(rated_study.root, tmp_path / "study")))
    factory = runpy.run_path(str(FACTORY))
    for session in study.sessions():
        factory["write_shard"](study.shard_path(session), factory["faces"](90, 8, 8, seed=0))

    report = agree_study(study)
    repeats = {
        each.rater: each.repeats
        for dimension in report.dimensions
        for each in dimension.raters
        if dimension.dimension == "arousal"
    }

    assert sorted(repeats) == ["SIM01", "SIM02", "SIM03", "SIM04"]
    assert all(len(repeat.by_session) == 1 for repeat in repeats.values())
    assert all(repeats[rater].pearson.value > 0.5 for rater in ("SIM01", "SIM02", "SIM03"))
    assert all(repeat.pearson.value < 0.9999 for repeat in repeats.values())


def test_what_was_collected_passes_the_check_of_the_study(rated, capsys):
    study, *_ = rated

    status = run(["check", str(study.root)])

    assert status == 0, capsys.readouterr().out


def test_a_scale_without_ends_is_rated_one_dimension_at_a_time(simulated, tmp_path):
    asked = {"scale": "unbounded", "mode": "one_at_a_time", "calibration_clip": False}
    study, first, second = rated_copy(simulated, tmp_path / "study", raters=1, **asked)
    ratings = [read_rating(path) for *_, path in find_ratings(study, "P01-001")]

    assert (first["takes"], second["takes"]) == (6, 0)
    assert {rating.document["scale"]["kind"] for rating in ratings} == {"unbounded"}
    assert {tuple(rating.document["settings"]["dimensions"]) for rating in ratings} == {
        ("arousal",),
        ("valence",),
    }


def test_the_same_seed_gives_the_same_ratings_to_the_bit(simulated, rated, tmp_path):
    one, *_ = rated
    two, *_ = rated_copy(simulated, tmp_path / "again")

    assert len(files_of(one)) == 24
    assert files_of(one) == files_of(two)


def test_another_seed_gives_other_ratings():
    times = np.arange(0, 5, 0.1)
    truth = Trace(times, np.array([np.sin(times)]))

    first, second = (rate(make_rater(0, 1, seed), "S01-001", truth, (AROUSAL,)) for seed in (1, 2))

    assert np.abs(first - second).max() > 0.05


def test_the_truth_is_taken_at_the_exposure_of_each_frame_of_the_media(simulated):
    project = open_project(simulated)
    table = project.media_table("P01-001")

    trace = true_trace(project, "P01-001", (AROUSAL, VALENCE), table.pts_seconds)

    assert trace.values.shape == (2, table.frames)
    assert np.abs(trace.values).max() <= 1
    assert np.ptp(trace.values, axis=1).min() > 0.01


def test_good_raters_follow_the_truth_late_and_bad_ones_do_not():
    times = np.arange(0, 40, 1 / 25)
    truth = Trace(times, np.array([0.7 * np.sin(times), 0.7 * np.cos(times / 1.7)]))
    scores = {}
    for seed in range(20):
        for number in range(4):
            rater = make_rater(number, 4, seed)
            given = rate(rater, "S01-001", truth, (AROUSAL, VALENCE))
            late = [np.interp(times - rater.lag_seconds, times, row) for row in truth.values]
            correlations = [np.corrcoef(a, b)[0, 1] for a, b in zip(given, late, strict=True)]
            scores.setdefault(rater.fault, []).extend(correlations)

    assert set(scores) == {"none", "flipped", "random"}
    assert min(scores["none"]) > 0.9
    assert max(scores["flipped"]) < -0.8
    assert np.mean(np.abs(scores["random"])) < 0.5


def test_ratings_stay_within_any_scale():
    percent = Dimension("arousal", 0, 100, "calm", "excited")
    times = np.arange(0, 20, 0.1)
    truth = Trace(times, np.array([50 + 50 * np.sign(np.sin(times))]))

    given = rate(make_rater(0, 1, 0), "S01-001", truth, (percent,))

    assert given.min() >= 0
    assert given.max() <= 100
    assert np.ptp(given) > 50


def test_without_truth_there_is_nothing_to_rate_from(made_study):
    from annotator_web.desk.simulate import simulated_sessions

    with pytest.raises(NotFound, match=r"no session has both media and truth\.h5"):
        simulated_sessions(open_project(made_study))


def test_collected_ratings_can_be_read_at_the_frames(rated):
    study, *_ = rated
    table = open_project(study).media_table("P01-002")
    rating = read_rating(find_ratings(study, "P01-002")[0][-1])

    values = rating_at(rating, table.pts_seconds)

    assert np.isfinite(values).all()
