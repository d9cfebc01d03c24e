import numpy as np
import pytest
from annotated_study import Rater, samples

from annotator_web.desk.collect import collect
from mavfer.study.ratings import find_ratings, read_rating


def collected(rater, **options):
    return collect(rater.context.database, rater.context.project, **options)


def test_what_was_given_is_what_is_collected(rater, study):
    take = rater.begin()
    odd = {**samples(), "media_time": [f / 25 + 1e-7 for f in range(25)], "arousal": [None] * 25}
    rater.send(take, 0, odd)
    rater.finish(take, 1, 25)

    done = collected(rater)
    arousal, valence = [read_rating(path) for *_, path in find_ratings(study, "S01-001")]

    assert done.written == ["S01-001/arousal.R1.001", "S01-001/valence.R1.001"]
    assert valence.media_time.tolist() == odd["media_time"]
    assert np.isnan(arousal.value).all()
    assert set(valence.value) == {-0.5}
    assert valence.document["kind"] == "person"
    assert valence.document["scale"] == {"kind": "bounded", "low": -1, "high": 1}
    assert len(valence.document["video_sha256"]) == 64


def test_collecting_again_writes_nothing(rater, study):
    rater.rate()
    collected(rater)
    before = {p: p.stat().st_mtime_ns for p in study.ratings_folder.rglob("*.*")}

    again = collected(rater)

    assert (again.written, again.kept) == ([], 2)
    assert {p: p.stat().st_mtime_ns for p in study.ratings_folder.rglob("*.*")} == before


def test_every_take_is_kept_apart(rater, study):
    rater.rate(arousal=0.1)
    rater.rate(arousal=0.2)
    collected(rater)

    found = find_ratings(study, "S01-001")

    assert [(d, r, take) for d, r, take, _ in found] == [
        ("arousal", "R1", 1),
        ("arousal", "R1", 2),
        ("valence", "R1", 1),
        ("valence", "R1", 2),
    ]


def test_unfinished_takes_are_left_out_unless_asked_for(rater, study):
    rater.send(rater.begin(), 0, samples(10))
    left_out = collected(rater)
    asked_for = collected(rater, with_incomplete=True)
    rating = read_rating(study.ratings_folder / "S01-001" / "arousal.R1.001.csv")

    assert (left_out.written, left_out.open_takes) == ([], 1)
    assert len(asked_for.written) == 2
    assert not rating.is_complete
    assert len(rating.value) == 10


def test_what_was_collected_unfinished_is_not_overwritten_but_told_of(rater, study):
    take = rater.begin()
    rater.send(take, 0, samples(10))
    collected(rater, with_incomplete=True)
    rater.send(take, 1, samples(15, start=10))
    rater.finish(take, 2, 25)

    done = collected(rater)

    assert done.written == []
    assert done.outdated == ["S01-001/arousal.R1.001", "S01-001/valence.R1.001"]
    assert len(read_rating(study.ratings_folder / "S01-001" / "arousal.R1.001.csv").value) == 10


def test_going_back_begins_a_pass_and_gaps_are_dropped_frames(rater, study):
    take = rater.begin()
    rater.send(take, 0, samples(10))
    rater.send(take, 1, samples(5, start=12))
    rater.send(take, 2, samples(20, start=5))
    rater.finish(take, 3, 35)
    collected(rater)

    document = read_rating(study.ratings_folder / "S01-001" / "arousal.R1.001.csv").document

    assert [(p["first_sample"], p["samples"]) for p in document["passes"]] == [(0, 15), (15, 20)]
    assert document["passes"][1]["start_seconds"] == pytest.approx(0.2)
    assert document["dropped_frames"] == 2


def test_the_measured_reaction_is_in_every_rating(app, rater, study):
    rater.calibrate(0.8)
    rater.rate("S01-001")
    rater.rate("S02-001")
    Rater(app, "R2").rate("S01-001")

    done = collected(rater)
    reactions = {
        (session, name): read_rating(path).document["settings"]["reaction_seconds"]
        for session in ("S01-001", "S02-001")
        for _, name, _, path in find_ratings(study, session)
    }

    assert done.uncalibrated == {"R2"}
    assert reactions["S01-001", "R1"] == reactions["S02-001", "R1"] == pytest.approx(0.8, abs=0.02)
    assert reactions["S01-001", "R2"] is None
    assert not (study.ratings_folder / "calibration").exists()
