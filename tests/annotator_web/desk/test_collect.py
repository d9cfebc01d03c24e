import numpy as np
import pytest
from annotated_study import Rater, make_study, samples

from annotator_web.app import close_app, create_app
from annotator_web.desk.collect import collect
from annotator_web.way.steps import withdraw
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


@pytest.fixture
def rated_otherwise(tmp_path):
    """Makes an application whose study asks for something else than the defaults, and a rater."""
    apps = []

    def make(sessions=("S01-001", "S02-001"), **annotation):
        study = make_study(
            tmp_path / "otherwise", sessions, annotation={"sessions": [*sessions], **annotation}
        )
        apps.append(create_app(study))
        return study, Rater(apps[-1], "R1")

    yield make
    for app in apps:
        close_app(app)


def test_hidden_repeats_are_collected_as_such_and_practice_never(rated_otherwise):
    practice = {"session": "S03-001", "label": "expert", "pass_ccc": 0.5}
    study, rater = rated_otherwise(
        ("S01-001", "S02-001", "S03-001"), hidden_repeats=0.5, practice=practice
    )
    rater.rate("S03-001")
    order = [task["session"] for task in rater.get("/api/v1/sessions").json["sessions"]]
    for at, session in enumerate(order[1:]):
        rater.rate(session, arousal=0.1 * at)

    done = collected(rater)
    settings = {
        (session, take): read_rating(path).document["settings"].get("hidden_repeat", False)
        for session in ("S01-001", "S02-001", "S03-001")
        for _, _, take, path in find_ratings(study, session)
    }

    assert order == ["S03-001", order[1], order[2], order[1]]
    assert (len(done.written), done.repeats) == (6, 2)
    assert settings == {(order[1], 1): False, (order[2], 1): False, (order[1], 2): True}


def test_values_without_ends_are_collected_with_their_scale(rated_otherwise):
    study, rater = rated_otherwise(("S01-001",), scale="unbounded")
    rater.rate(arousal=1234.5, valence=-1e-7)
    collected(rater)

    arousal, valence = [read_rating(path) for *_, path in find_ratings(study, "S01-001")]

    assert set(arousal.value) == {1234.5}
    assert set(valence.value) == {-1e-7}
    assert arousal.document["scale"] == {"kind": "unbounded", "low": None, "high": None}


@pytest.mark.parametrize(("wish", "written"), [("stop", 2), ("erase", 0)])
def test_who_asked_to_be_erased_is_not_collected_and_told_of(rater, study, wish, written):
    rater.rate()
    rater.context.database.write(lambda connection: withdraw(connection, 1, wish))

    done = collected(rater)

    assert len(done.written) == written
    assert done.erased == ({"R1"} if wish == "erase" else set())


def test_what_the_browser_says_in_the_end_is_collected(rater, study):
    body = {"session": "S01-001", "dimensions": ["arousal"], "client": {"device": "pointer"}}
    take = rater.post("/api/v1/takes", body).json["take"]
    columns = {name: cells for name, cells in samples().items() if name != "valence"}
    rater.send(take, 0, columns)
    end = {"chunks": 1, "samples": 25, "client": {"device": "keyboard", "refresh_hz": 59.9}}
    rater.post(f"/api/v1/takes/{take}/finish", end)
    collected(rater)

    document = read_rating(study.ratings_folder / "S01-001" / "arousal.R1.001.csv").document

    assert document["input"] == {"device": "keyboard", "refresh_hz": 59.9}
