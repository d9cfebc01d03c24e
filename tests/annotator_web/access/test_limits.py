import pytest
from annotated_study import Rater
from hypothesis import given
from hypothesis import strategies as st

from annotator_web.access.limits import PACES, Buckets, Pace, kind_of
from annotator_web.refusals import Refusal


class Clock:
    def __init__(self):
        self.seconds = 100.0

    def __call__(self):
        return self.seconds


def test_a_bucket_gives_what_it_holds_and_then_as_it_fills():
    clock = Clock()
    buckets = Buckets({"chunk": Pace(2, 3)}, clock=clock)
    burst = [buckets.wait_for(1, "chunk") for _ in range(4)]
    clock.seconds += 0.5
    later = [buckets.wait_for(1, "chunk") for _ in range(2)]

    assert burst == [0, 0, 0, 0.5]
    assert later == [0, 0.5]


def test_raters_and_kinds_have_buckets_of_their_own():
    buckets = Buckets({"chunk": Pace(1, 1), "read": Pace(1, 1)}, clock=Clock())
    asked = [(1, "chunk"), (2, "chunk"), (1, "read"), (1, "chunk"), (2, "chunk")]

    assert [buckets.wait_for(*who) > 0 for who in asked] == [False, False, False, True, True]


@given(st.lists(st.floats(0, 3), max_size=80), st.floats(0.1, 5), st.integers(1, 9))
def test_no_more_is_given_than_was_held_and_filled(pauses, pace, at_once):
    clock = Clock()
    buckets = Buckets({"read": Pace(pace, at_once)}, clock=clock)
    given_out = 0
    for pause in pauses:
        clock.seconds += pause
        given_out += buckets.wait_for(1, "read") == 0

    assert given_out <= at_once + pace * sum(pauses) + 1e-6


@given(st.floats(0.01, 50))
def test_who_waits_as_long_as_told_is_served(pace):
    clock = Clock()
    buckets = Buckets({"change": Pace(pace, 1)}, clock=clock)
    buckets.require(1, "change")
    with pytest.raises(Refusal, match="too many requests at once") as refused:
        buckets.require(1, "change")
    told = refused.value.headers["Retry-After"]
    clock.seconds += int(told)
    buckets.require(1, "change")

    assert refused.value.status == 429
    assert told.isdecimal()
    assert int(told) >= 1


@pytest.mark.parametrize(
    ("method", "path", "kind"),
    [
        ("POST", "/api/v1/takes/abc/chunks/0", "chunk"),
        ("GET", "/api/v1/takes/abc/chunks/0", "read"),
        ("POST", "/api/v1/takes", "change"),
        ("POST", "/api/v1/takes/abc/chunks/0/1", "change"),
        ("DELETE", "/api/v1/takes/abc", "change"),
        ("HEAD", "/", "read"),
    ],
)
def test_requests_are_of_three_kinds(method, path, kind):
    assert kind_of(method, path) == kind


def test_a_rater_who_asks_too_much_is_told_when_and_others_are_served(app):
    app.wsgi_app._buckets._paces = {**PACES, "read": Pace(0.001, 2), "change": Pace(0.001, 1)}
    wild, calm = Rater(app, "R1"), Rater(app, "R2")
    wild.begin()
    reads = [wild.get("/api/v1/sessions") for _ in range(3)]
    change = wild.post("/api/v1/takes", {})
    page = wild.get("/", Accept="text/html")
    style = wild.get("/static/annotator.css")
    style.close()

    assert [answer.status_code for answer in reads] == [200, 200, 429]
    assert change.status_code == page.status_code == 429
    assert change.json["error"]["code"] == "too_many_requests"
    assert page.mimetype == "text/html"
    assert int(reads[2].headers["Retry-After"]) >= 1
    assert calm.get("/api/v1/sessions").status_code == 200
    assert style.status_code == 200


def test_nobody_is_not_counted_by_address(app):
    app.wsgi_app._buckets._paces = dict.fromkeys(PACES, Pace(0.001, 1))
    client = app.test_client()
    found = {client.get("/api/v1/sessions").status_code for _ in range(9)}

    assert found == {401}
    assert app.wsgi_app._buckets._buckets == {}
