"""The lane and the route behind it give the same answers."""

import json
import sqlite3
from contextlib import closing
from itertools import count

import pytest
from annotated_study import Rater, make_study, samples
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.test import Client

from annotator_web.access.auth import COOKIE, CSRF_HEADER, csrf_token, open_login
from annotator_web.access.limits import Pace
from annotator_web.app import close_app, create_app
from annotator_web.desk.raters import revoke
from annotator_web.store.database import withdrawals

GENEROUS = {kind: Pace(1e6, 1e6) for kind in ("chunk", "change", "read")}


class Both:
    """A rater's chunks, sent to the lane and to the route behind it, each to a take of its own."""

    def __init__(self, app, rater):
        self.lane, self.rater = app.wsgi_app, rater
        self.lane._buckets._paces = GENEROUS
        self.went_on = 0
        self.plain = self.lane.app
        self.lane.app = self._counting
        self.takes = rater.begin(), rater.begin()

    def _counting(self, environ, start_response):
        self.went_on += 1
        return self.plain(environ, start_response)

    def send(self, seq, body, *, headers=None, **options):
        """The answer of both, which is one; and whether the lane gave it."""
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
        before, answers = self.went_on, []
        for app, take in zip((self.lane, self.plain), self.takes, strict=True):
            path = f"/api/v1/takes/{take}/chunks/{seq}"
            sent = headers or self.rater.headers
            answer = Client(app, use_cookies=False).post(path, data=body, headers=sent, **options)
            told = answer.get_data(as_text=True).replace(take, "TAKE")
            answers.append((answer.status, sorted(answer.headers), told, answer))
        assert answers[0][:3] == answers[1][:3]
        return answers[0][3], self.went_on == before

    def held(self):
        """Rows of the two takes, which are the same."""
        path = self.rater.context.database.path
        with closing(sqlite3.connect(path)) as connection:
            query = "SELECT seq, samples, last_media_time, blob FROM chunks WHERE take = ?"
            rows = [connection.execute(query, (take,)).fetchall() for take in self.takes]
            query = "SELECT contiguous FROM takes WHERE id = ?"
            rows[0] += connection.execute(query, (self.takes[0],)).fetchall()
            rows[1] += connection.execute(query, (self.takes[1],)).fetchall()
        assert rows[0] == rows[1]
        return rows[0]


@pytest.fixture(scope="module")
def steady(tmp_path_factory):
    """One server for tests that leave its rater as they found it."""
    app = create_app(make_study(tmp_path_factory.mktemp("lane") / "study", ("S01-001",)))
    yield Both(app, Rater(app, "R1"))
    close_app(app)


@pytest.fixture
def shared(steady):
    """It, with two new takes."""
    steady.takes = steady.rater.begin(), steady.rater.begin()
    return steady


@pytest.fixture
def both(app, rater):
    """A server of one's own."""
    return Both(app, rater)


def changed(**columns):
    return {"samples": {**samples(), **columns}}


def cells(name, value):
    found = samples()
    found[name][3] = value
    return {"samples": found}


GOOD = {
    "as browsers send it": {"samples": samples()},
    "one sample": {"samples": samples(1)},
    "missing values": cells("arousal", None),
    "a missing frame": cells("frame", None),
    "nothing but missing values": changed(valence=[None] * 25),
    "whole numbers": changed(arousal=[1] * 25, clock_ms=[7] * 25),
    "the ends of the scale": changed(arousal=[-1] * 12 + [1.0] * 13),
    "more beside the samples": {"samples": samples(), "note": {"a": [1]}},
    "the smallest number": cells("valence", 5e-324),
    "minus zero": cells("valence", -0.0),
}

BAD = {
    "a column lacks": {"samples": {k: v for k, v in samples().items() if k != "flags"}},
    "a column too many": changed(dominance=[0] * 25),
    "lengths differ": changed(valence=[0] * 24),
    "nothing at all": {"samples": {name: [] for name in samples()}},
    "too many": {"samples": {name: [0] * 2001 for name in samples()}},
    "a word": cells("arousal", "0.5"),
    "a truth value": cells("arousal", True),
    "a list": cells("arousal", [0.5]),
    "beyond the scale": cells("arousal", 1.0000000000000002),
    "beyond any float": cells("arousal", 10**400),
    "a frame that is not there": cells("frame", 25),
    "half a frame": cells("frame", 1.5),
    "a frame with a point": cells("frame", 1.0),
    "before the beginning": cells("media_time", -1e-9),
    "after the end": cells("media_time", 2.001),
    "no time": cells("media_time", None),
    "too many flags": cells("flags", 65_536),
    "a missing flag": cells("flags", None),
    "no list": changed(valence=0.5),
    "no object": [1],
    "no samples": {"samples": [1]},
    "not a number": b'{"samples": NaN}',
    "infinity": json.dumps(cells("arousal", 0.5)).replace("0.5", "Infinity").encode(),
    "too large a number": json.dumps(cells("arousal", 0.5)).replace("0.5", "1e999").encode(),
    "no JSON": b"{",
    "no text": b"\xff\xfe",
    "too deep": b"[" * 100_000,
    "empty": b"",
}


@pytest.mark.parametrize("body", GOOD.values(), ids=GOOD.keys())
def test_a_good_chunk_is_answered_by_the_lane_as_by_the_route(shared, body):
    answer, by_lane = shared.send(0, body)

    assert (answer.status_code, answer.json) == (200, {"contiguous": 1})
    assert by_lane
    assert len(shared.held()) == 2


@pytest.mark.parametrize("body", BAD.values(), ids=BAD.keys())
def test_a_bad_chunk_is_refused_by_the_route_alone(shared, body):
    answer, by_lane = shared.send(0, body)

    assert answer.status_code == 400
    assert set(answer.json["error"]) == {"code", "message", "hint"}
    assert not by_lane
    assert shared.held() == [(0,)]


SEQS = ("00", "-1", "1.0", "100000", "9" * 5000, "٣", "x")


@pytest.mark.parametrize("seq", SEQS, ids=range(len(SEQS)))
def test_odd_numbers_of_chunks_are_left_to_the_route(shared, seq):
    _, by_lane = shared.send(seq, {"samples": samples()})

    assert not by_lane


def test_the_same_in_other_encodings_is_left_to_the_route(shared):
    text = json.dumps({"samples": samples()})
    for seq, encoding in enumerate(("utf-16", "utf-8-sig", "utf-32")):
        answer, by_lane = shared.send(seq, text.encode(encoding))

        assert (answer.status_code, by_lane) == (200, False)
    assert len(shared.held()) == 4


def test_gaps_repeats_and_other_samples_are_told_alike(shared):
    other = {"samples": samples(arousal=0.75)}
    told = []
    for seq, body in (
        (0, GOOD["as browsers send it"]),
        (2, GOOD["as browsers send it"]),
        (1, GOOD["as browsers send it"]),
        (1, GOOD["as browsers send it"]),
        (1, other),
        (3, other),
        (5, other),
    ):
        answer, by_lane = shared.send(seq, body)
        told.append((answer.status_code, answer.json.get("contiguous"), by_lane))

    assert told == [
        (200, 1, True),
        (200, 1, True),
        (200, 3, False),
        (200, 3, False),
        (409, None, False),
        (200, 4, True),
        (200, 4, True),
    ]
    assert len(shared.held()) == 6


def test_a_finished_take_is_left_to_the_route(shared):
    shared.send(0, {"samples": samples()})
    for take in shared.takes:
        assert shared.rater.finish(take, 1, 25).status_code == 200
    same, by_lane = shared.send(0, {"samples": samples()})
    new, _ = shared.send(1, {"samples": samples()})

    assert (same.status_code, by_lane) == (200, False)
    assert (new.status_code, new.json["error"]["code"]) == (409, "finished")


def test_a_long_body_is_left_to_the_route(shared):
    answer, by_lane = shared.send(0, b" " * (256 << 10) + b"{}")

    assert (answer.status_code, by_lane) == (413, False)


def test_over_https_both_say_to_stay_there(shared):
    answer, by_lane = shared.send(
        0, {"samples": samples()}, environ_overrides={"wsgi.url_scheme": "https"}
    )

    assert by_lane
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


@pytest.fixture
def browser(both):
    """Headers of the rater's browser, with the page's token."""
    cookie = open_login(both.rater.context.database, both.rater.token)
    return {"Cookie": f"a=b; {COOKIE}={cookie}", CSRF_HEADER: csrf_token(cookie)}


def test_a_cookie_needs_the_pages_token_in_both(both, browser):
    own = browser["Cookie"].partition("; ")[2]
    table = [
        (browser, 200, True),
        ({"Cookie": browser["Cookie"]}, 403, False),
        ({**browser, CSRF_HEADER: "x" * 64}, 403, False),
        ({**browser, CSRF_HEADER: "ä"}, 403, False),
        ({**browser, "Cookie": f"{COOKIE}=x; {own}"}, None, False),
        ({**browser, "Cookie": f"{COOKIE}=x"}, 401, False),
        ({**browser, "Authorization": "Bearer nobody"}, 401, False),
        ({**browser, "Authorization": f"bearer {both.rater.token}"}, 401, False),
        ({"X": "y"}, 401, False),
    ]
    for seq, (headers, status, expected_by_lane) in enumerate(table):
        answer, by_lane = both.send(seq, {"samples": samples()}, headers=headers)

        assert status in (None, answer.status_code)
        assert by_lane == expected_by_lane


def test_another_raters_take_is_nobodys_business_in_both(both, app):
    other = Rater(app, "R2")
    both.send(0, {"samples": samples()})
    answer, by_lane = both.send(1, {"samples": samples()}, headers=other.headers)

    assert (answer.status_code, answer.json["error"]["code"]) == (404, "no_such_take")
    assert not by_lane


def test_a_revoked_rater_stops_at_once(both, browser):
    assert both.send(0, {"samples": samples()})[1]
    assert both.send(1, {"samples": samples()}, headers=browser)[1]
    revoke(both.rater.context.database, "R1")
    for headers in (both.rater.headers, browser):
        answer, by_lane = both.send(2, {"samples": samples()}, headers=headers)

        assert (answer.status_code, by_lane) == (401, False)
    assert len(both.held()) == 3


def test_a_rater_revoked_by_another_process_stops_at_once(both):
    assert both.send(0, {"samples": samples()})[1]
    with closing(sqlite3.connect(both.rater.context.database.path)) as connection, connection:
        connection.execute("UPDATE invitations SET revoked_utc = '2026-01-01T00:00:00Z'")
    answer, by_lane = both.send(1, {"samples": samples()})

    assert (answer.status_code, by_lane) == (401, False)


def test_a_rater_who_withdrew_gives_no_more(both):
    assert both.send(0, {"samples": samples()})[1]
    row = {"rater": 1, "wish": "stop", "asked_utc": "2026-01-01T00:00:00Z"}
    both.rater.context.database.write(lambda c: c.execute(withdrawals.insert(), row) and None)
    answer, by_lane = both.send(1, {"samples": samples()})

    assert (answer.status_code, answer.json["error"]["code"]) == (403, "withdrawn")
    assert not by_lane


def test_lane_and_route_take_from_one_bucket(both):
    both.lane._buckets._paces = {**GENEROUS, "chunk": Pace(0.25, 3)}
    take = both.takes[0]
    answers = [both.rater.send(take, seq, samples()) for seq in (0, 0, 1, 2)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[3].json["error"]["code"] == "too_many_requests"
    assert answers[3].headers["Retry-After"] == "4"
    assert both.rater.get(f"/api/v1/takes/{take}").json["chunks"] == 2


NUMBERS = count()
CELL = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.sampled_from([0, 1, 24, 25, 0.5, -1, 1.0, 1.5, 65_535, 65_536, "1", [], {}, 10**400])
)


@settings(max_examples=60, deadline=None)
@given(
    rows=st.integers(0, 4),
    name=st.sampled_from([*samples(), "other"]),
    cells=st.lists(CELL, max_size=4),
    column=st.none() | CELL,
)
def test_whatever_is_sent_both_say_the_same(steady, rows, name, cells, column):
    columns = samples(rows)
    columns[name] = [*cells, *columns.get(name, [])[len(cells) :]]
    if column is not None:
        columns[name] = column
    answer, by_lane = steady.send(next(NUMBERS), {"samples": columns})

    assert by_lane == (answer.status_code == 200)
