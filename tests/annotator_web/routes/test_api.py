import json

import pytest
from annotated_study import Rater, samples


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
