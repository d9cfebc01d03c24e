import json

import pytest
from annotated_study import ANNOTATION, Rater, make_study, samples
from sqlalchemy import func, select

from annotator_web.app import close_app, create_app
from annotator_web.store.database import plans
from annotator_web.store.takes import find_takes
from mavfer.files import write_json


def test_a_take_goes_from_begun_to_finished(rater):
    take = rater.begin()
    first = rater.send(take, 0, samples(10))
    second = rater.send(take, 1, samples(15, start=10))
    finished = rater.finish(take, 2, 25)
    state = rater.get(f"/api/v1/takes/{take}").json

    assert (first.json, second.json) == ({"contiguous": 1}, {"contiguous": 2})
    assert (finished.status_code, finished.json) == (200, {"complete": True})
    assert (state["state"], state["chunks"], state["samples"]) == ("finished", 2, 25)


def test_beginning_says_where_the_media_is(rater):
    body = {"session": "S01-001", "dimensions": ["valence"], "client": {"device": "pointer"}}

    answer = rater.post("/api/v1/takes", body)

    assert answer.status_code == 201
    assert answer.json["contiguous"] == 0
    assert answer.json["media"] == "/media/S01-001"


def test_the_same_chunk_again_changes_nothing(rater):
    take = rater.begin()
    rater.send(take, 0, samples())
    spelled_otherwise = {**samples(), "flags": [0] * 25, "arousal": [0.250] * 25}

    again = rater.send(take, 0, spelled_otherwise)

    assert (again.status_code, again.json) == (200, {"contiguous": 1})
    assert rater.get(f"/api/v1/takes/{take}").json["samples"] == 25


def test_other_samples_under_a_used_number_are_refused(rater):
    take = rater.begin()
    rater.send(take, 0, samples())

    other = rater.send(take, 0, samples(arousal=0.26))

    assert other.status_code == 409
    assert other.json["error"]["code"] == "chunk_differs"
    assert rater.finish(take, 1, 25).status_code == 200


def test_a_gap_is_kept_and_told_and_filled(rater):
    take = rater.begin()
    answers = [rater.send(take, seq, samples()).json["contiguous"] for seq in (0, 2, 3, 5)]
    state = rater.get(f"/api/v1/takes/{take}").json
    refused = rater.finish(take, 6, 150)
    filled = [rater.send(take, seq, samples()).json["contiguous"] for seq in (1, 4)]

    assert answers == [1, 1, 1, 1]
    assert state["missing"] == [1, 4]
    assert refused.status_code == 409
    assert refused.json["missing"] == [1, 4]
    assert refused.json["error"]["code"] == "incomplete"
    assert filled == [4, 6]
    assert rater.finish(take, 6, 150).json == {"complete": True}


@pytest.mark.parametrize(("chunks", "count"), [(1, 24), (0, 0)])
def test_finishing_with_other_counts_is_refused(rater, chunks, count):
    take = rater.begin()
    rater.send(take, 0, samples())

    refused = rater.finish(take, chunks, count)

    assert refused.status_code == 409
    assert refused.json["error"]["code"] == "counts_differ"
    assert rater.get(f"/api/v1/takes/{take}").json["state"] == "open"


def test_a_finished_take_takes_nothing_new(rater):
    take = rater.rate()

    same, new = rater.send(take, 0, samples()), rater.send(take, 1, samples())

    assert same.status_code == 200
    assert (new.status_code, new.json["error"]["code"]) == (409, "finished")
    assert rater.finish(take, 1, 25).json == {"complete": True}


BAD_COLUMNS = {
    "a column lacks": lambda c: c.pop("flags"),
    "a column too many": lambda c: c.update(dominance=[0] * 25),
    "lengths differ": lambda c: c["valence"].pop(),
    "nothing at all": lambda c: [cells.clear() for cells in c.values()],
    "a word": lambda c: c["arousal"].__setitem__(3, "high"),
    "a truth value": lambda c: c["arousal"].__setitem__(3, True),
    "beyond the scale": lambda c: c["arousal"].__setitem__(3, 1.0001),
    "beyond any float": lambda c: c["arousal"].__setitem__(3, 10**400),
    "a frame that is not there": lambda c: c["frame"].__setitem__(3, 25),
    "half a frame": lambda c: c["frame"].__setitem__(3, 1.5),
    "before the beginning": lambda c: c["media_time"].__setitem__(0, -0.1),
    "after the end": lambda c: c["media_time"].__setitem__(0, 9),
    "no time": lambda c: c["media_time"].__setitem__(0, None),
    "too many flags": lambda c: c["flags"].__setitem__(0, 65_536),
    "no list": lambda c: c.update(valence=0.5),
}


@pytest.mark.parametrize("break_it", BAD_COLUMNS.values(), ids=BAD_COLUMNS.keys())
def test_bad_samples_are_refused_and_nothing_is_stored(rater, break_it):
    take, columns = rater.begin(), samples()
    break_it(columns)

    refused = rater.send(take, 0, columns)

    assert refused.status_code == 400
    assert set(refused.json["error"]) == {"code", "message", "hint"}
    assert rater.get(f"/api/v1/takes/{take}").json["chunks"] == 0


@pytest.mark.parametrize("body", [b"", b"[1]", b"{", b'{"samples": NaN}', b"\xff", b"[" * 100_000])
def test_what_is_not_a_json_object_is_refused(rater, body):
    take = rater.begin()

    refused = rater.client.post(f"/api/v1/takes/{take}/chunks/0", data=body, headers=rater.headers)

    assert (refused.status_code, refused.json["error"]["code"]) == (400, "malformed")


def test_a_chunk_that_is_too_large_is_refused(rater):
    take = rater.begin()
    body = json.dumps({"samples": samples(), "more": "x" * 300_000})

    refused = rater.client.post(f"/api/v1/takes/{take}/chunks/0", data=body, headers=rater.headers)

    assert refused.status_code == 413
    assert "262144 bytes" in refused.json["error"]["hint"]


def test_missing_values_are_null(rater):
    take = rater.begin()

    stored = rater.send(take, 0, {**samples(), "arousal": [None] * 25, "frame": [None] * 25})

    assert stored.status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"session": "S01-001", "dimensions": []},
        {"session": "S01-001", "dimensions": ["dominance"]},
        {"session": "S01-001", "dimensions": ["arousal", "arousal"]},
        {"session": "S01-001", "dimensions": [["arousal"]]},
        {"session": ["S01-001"], "dimensions": ["arousal"]},
        {"session": "S01-001", "dimensions": ["arousal"], "client": "x"},
        {"session": "S01-001", "dimensions": ["arousal"], "client": {"x": "y" * 5000}},
    ],
)
def test_a_take_of_something_else_is_refused(rater, body):
    refused = rater.post("/api/v1/takes", body)

    assert (refused.status_code, refused.json["error"]["code"]) == (400, "malformed")


def test_raters_know_nothing_of_each_other(app, rater):
    take = rater.begin()
    other = Rater(app, "R2")

    answers = [
        other.get(f"/api/v1/takes/{take}"),
        other.send(take, 0, samples()),
        other.finish(take, 0, 0),
    ]

    assert {answer.status_code for answer in answers} == {404}
    assert all(s["takes"] == [] for s in other.get("/api/v1/sessions").json["sessions"])


def test_sessions_beyond_the_invitation_are_not_there(app):
    rater = Rater(app, "R3", sessions=["S02-001"])
    body = {"session": "S01-001", "dimensions": ["arousal"]}

    listed = [entry["session"] for entry in rater.get("/api/v1/sessions").json["sessions"]]

    assert listed == ["calibration", "S02-001"]
    assert rater.post("/api/v1/takes", body).status_code == 404
    assert rater.get("/media/S01-001").status_code == 404


def test_unknown_addresses_are_refused_in_the_same_shape(rater):
    answers = [rater.get("/api/v2/takes"), rater.post("/api/v1/takes/x/chunks/-1", {})]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert all(set(answer.json["error"]) == {"code", "message", "hint"} for answer in answers)
    assert rater.client.delete("/api/v1/takes").status_code == 405


def test_a_take_says_where_to_go_on(rater):
    take = rater.begin()
    rater.send(take, 0, {**samples(10, arousal=0.5), "valence": [*[0.25] * 9, None]})
    rater.send(take, 2, samples(5, start=15))
    state = rater.get(f"/api/v1/takes/{take}").json

    assert (state["contiguous"], state["missing"], state["samples"]) == (1, [1], 15)
    assert (state["media_time"], state["frame"]) == (9 / 25, 9)
    assert state["values"] == {"arousal": 0.5, "valence": 0.25}
    assert state["scale"]["arousal"] == {"kind": "bounded", "low": -1, "high": 1}


@pytest.mark.parametrize(
    "client",
    [
        "x",
        {"x": "y" * 5_000},
        {"a": {"b": {"c": {"d": {"e": {"f": {"g": {"h": {}}}}}}}}},
        {"half": "\ud800"},
    ],
)
def test_what_a_client_says_of_itself_is_small_and_can_be_written(rater, client):
    take = rater.rate()
    open_take = rater.begin()
    body = {"session": "S01-001", "dimensions": ["arousal"], "client": client}

    refused = rater.post("/api/v1/takes", body)
    in_the_end = rater.post(
        f"/api/v1/takes/{open_take}/finish", {"chunks": 0, "samples": 0, "client": client}
    )

    assert (refused.status_code, in_the_end.status_code) == (400, 400)
    assert rater.get(f"/api/v1/takes/{take}").json["state"] == "finished"
    assert rater.get(f"/api/v1/takes/{open_take}").json["state"] == "open"


def test_a_number_of_thousands_of_digits_is_no_chunk(rater):
    take = rater.begin()

    answers = [
        rater.send(take, seq, samples()) for seq in ("9" * 5_000, "100000", "-1", "\u0661", "1.0")
    ]

    assert [answer.status_code for answer in answers] == [400, 400, 404, 404, 404]


def test_a_take_keeps_the_scale_that_it_began_with(rater, study):
    take = rater.begin()
    write_json(study.root / "annotation.json", {**ANNOTATION, "scale": "unbounded"})
    app = create_app(study)
    try:
        path = f"/api/v1/takes/{take}/chunks/0"
        body = {"samples": samples(arousal=7.0)}
        refused = app.test_client().post(path, json=body, headers=rater.headers)
    finally:
        close_app(app)

    assert (refused.status_code, refused.json["error"]["code"]) == (400, "out_of_range")


@pytest.fixture
def repeating(tmp_path):
    """A rater who is shown one of two sessions twice."""
    asked = {"sessions": ["S01-001", "S02-001"], "hidden_repeats": 0.5}
    app = create_app(make_study(tmp_path / "repeating", annotation=asked))
    yield Rater(app, "R1")
    close_app(app)


def purposes(rater):
    with rater.context.database.reading() as connection:
        return [take.purpose for take in find_takes(connection, 1)]


def test_the_second_showing_is_a_repeat_and_nothing_says_so(repeating):
    order = [task["session"] for task in repeating.get("/api/v1/sessions").json["sessions"]]
    states = []
    for session in order:
        take = repeating.rate(session)
        states.append(repeating.get(f"/api/v1/takes/{take}").text)
    listed = repeating.get("/api/v1/sessions")

    assert order == [order[0], order[1], order[0]]
    assert sorted(purposes(repeating)) == ["rating", "rating", "repeat"]
    assert "repeat" not in "".join([listed.text, *states])
    assert [len(task["takes"]) for task in listed.json["sessions"]] == [1, 1, 1]


def test_rating_a_session_again_at_once_is_no_repeat(repeating):
    first = repeating.get("/api/v1/sessions").json["sessions"][0]["session"]
    repeating.rate(first)
    repeating.rate(first)

    assert purposes(repeating) == ["rating", "rating"]


def test_the_plan_is_kept_from_the_first_take_on(repeating):
    def planned():
        with repeating.context.database.reading() as connection:
            return connection.execute(select(func.count()).select_from(plans)).scalar_one()

    before = planned()
    repeating.get("/api/v1/sessions")
    listed = planned()
    repeating.begin()

    assert (before, listed, planned()) == (0, 0, 3)
