import json
import re
from pathlib import Path

import pytest
from annotated_study import Rater, make_study
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from sqlalchemy import func, select

import annotator_web
from annotator_web.access.limits import Buckets, Pace
from annotator_web.app import close_app, create_app
from annotator_web.refusals import CODES
from annotator_web.routes.openapi import OPERATIONS
from annotator_web.store.database import chunks, takes

SHAPE = {"code", "message", "hint"}
FUZZED = settings(
    max_examples=40,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


class Fuzzed:
    """A rater of a study, the page that describes the API, and how much is stored."""

    def __init__(self, app):
        self.app = app
        self.rater = Rater(app, "R1")
        self.page = app.test_client().get("/api/v1/openapi.json").json
        self.schemas = self.page["components"]["schemas"]
        self.operations = [
            (method, path, operation)
            for path, methods in self.page["paths"].items()
            for method, operation in methods.items()
        ]

    def ask(self, method, path, body=None, headers=None):
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        given_headers = self.rater.headers if headers is None else headers
        return self.app.test_client().open(
            path, method=method, data=data, headers=given_headers, buffered=True
        )

    def stored(self):
        with self.rater.context.database.reading() as connection:
            count = select(func.count())
            finished = count.where(takes.c.finished_utc.is_not(None))
            rows = connection.execute(
                select(
                    count.select_from(takes).scalar_subquery(),
                    count.select_from(chunks).scalar_subquery(),
                    finished.select_from(takes).scalar_subquery(),
                )
            )
            return tuple(rows.one())


@pytest.fixture(scope="module", params=["bounded", "unbounded"])
def fuzzed(request, tmp_path_factory):
    root = tmp_path_factory.mktemp("fuzzed") / "study"
    study = make_study(root, ["S01-001"], annotation={"scale": request.param})
    generous = {kind: Pace(1e9, 1e9) for kind in ("chunk", "change", "read")}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("annotator_web.app.Buckets", lambda: Buckets(generous))
        app = create_app(study)
    yield Fuzzed(app)
    close_app(app)


HOSTILE = st.sampled_from(
    [
        *["", " ", ".", "..", "%2e%2e", "..%2f..%2fstudy.json", "%00", "%ff", "%0d%0aX: y", "null"],
        *["' OR 1=1 --", "<script>", "-1", "0x1", "1e3", "S99-001", "calibration", "9" * 5_000],
        *["\u0661", "é" * 40, "A" * 3_000, "{take}", "*", "~", "%25", "\\..\\x", "+1", " 0", "0_1"],
    ]
) | st.text(max_size=12)
"""For a path; text is percent-coded by the client."""

ODD = st.sampled_from(
    [
        *[None, True, False, -1, 1.5, 2**63, -(2**70), 10**400, 1e308, -1e308, float("nan")],
        *[float("inf"), "", "high", "\x00", "\ud800", [], {}, [[]], {"a": {}}, "x" * 9_000],
        *[[None] * 3_000, [1] * 2_001, {"__proto__": 1}],
    ]
)


def valid(schemas, schema):
    """Documents that a schema of the page allows, of the keywords that it uses."""
    if "$ref" in schema:
        return valid(schemas, schemas[schema["$ref"].rpartition("/")[2]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return st.one_of([_VALID[kind](schemas, schema) for kind in kinds])


def _objects(schemas, schema):
    properties = schema.get("properties", {})
    required = schema.get("required", [])
    return st.fixed_dictionaries(
        {name: valid(schemas, properties[name]) for name in required},
        optional={name: valid(schemas, properties[name]) for name in set(properties) - {*required}},
    )


_VALID = {
    "null": lambda _, __: st.none(),
    "integer": lambda _, schema: st.integers(schema["minimum"], schema["maximum"]),
    "number": lambda _, schema: st.floats(
        schema["minimum"], schema["maximum"], allow_nan=False, width=64
    ),
    "string": lambda _, __: st.text(max_size=20),
    "object": _objects,
    "array": lambda schemas, schema: st.lists(
        valid(schemas, schema["items"]),
        min_size=schema.get("minItems", 0),
        max_size=min(schema.get("maxItems", 3), 3),
        unique_by=repr,
    ),
}


@st.composite
def broken(draw, document):
    """The document with something wrong (or, rarely, odd and yet right) somewhere in it."""
    places = [((), document)]
    for path, value in places:
        if isinstance(value, dict):
            places += [((*path, key), each) for key, each in value.items()]
        elif isinstance(value, list):
            places += [((*path, at), each) for at, each in enumerate(value[:2])]
    path, _ = draw(st.sampled_from(places))
    if not path:
        return draw(ODD)
    copy = json.loads(json.dumps(document))
    at = copy
    for key in path[:-1]:
        at = at[key]
    if draw(st.booleans()):
        at[path[-1]] = draw(ODD)
    elif isinstance(at, dict):
        del at[path[-1]]
    else:
        at.append(draw(ODD))
    return copy


def answers_as_told(fuzzed, operation, answer):
    """Whether the page knows this answer, and it is of the page's shape."""
    told = operation["responses"].get(str(answer.status_code))
    if answer.status_code < 400:
        return told is not None
    refusal = answer.json["error"]
    schema = {"$ref": "#/components/schemas/Refusal", "components": fuzzed.page["components"]}
    Draft202012Validator(schema).validate(answer.json)
    codes = told["x-codes"] if told else []
    is_general = refusal["code"] in {"not_found", "method_not_allowed"}
    return set(refusal) == SHAPE and (refusal["code"] in codes or is_general)


def samples_of(draw, fuzzed, dimensions):
    """Columns of one length within the clip of 1 s."""
    count = draw(st.integers(1, 5))
    columns = fuzzed.schemas["Chunk"]["properties"]["samples"]["properties"]
    made = {}
    for name in ("media_time", "frame", "clock_ms", *dimensions, "flags"):
        cell = dict(columns[name]["items"])
        cell["maximum"] = {"media_time": 1.0, "frame": 24}.get(name, cell["maximum"])
        made[name] = draw(st.lists(valid({}, cell), min_size=count, max_size=count))
    return {"samples": made}


@FUZZED
@given(st.data())
def test_requests_that_the_page_allows_succeed(fuzzed, data):
    body = data.draw(valid(fuzzed.schemas, fuzzed.schemas["TakeRequest"]))
    begun = fuzzed.ask("POST", "/api/v1/takes", {**body, "session": "S01-001"})
    take = begun.json["take"]
    count, total = data.draw(st.integers(0, 3)), 0
    answers = [begun]
    for seq in range(count):
        chunk = samples_of(data.draw, fuzzed, body["dimensions"])
        total += len(chunk["samples"]["flags"])
        answers.append(fuzzed.ask("POST", f"/api/v1/takes/{take}/chunks/{seq}", chunk))
    counts = {"chunks": count, "samples": total}
    answers.append(fuzzed.ask("POST", f"/api/v1/takes/{take}/finish", counts))
    state = fuzzed.ask("GET", f"/api/v1/takes/{take}")

    assert [answer.status_code for answer in answers] == [201, *[200] * (count + 1)]
    assert (state.json["state"], state.json["samples"]) == ("finished", total)
    components = {"components": fuzzed.page["components"]}
    Draft202012Validator({"$ref": "#/components/schemas/TakeState", **components}).validate(
        state.json
    )


@FUZZED
@given(st.data())
def test_whatever_is_asked_is_answered_as_the_page_says(fuzzed, data):
    method, path, operation = data.draw(st.sampled_from(fuzzed.operations))
    take = fuzzed.rater.begin()
    known = {"take": take, "session": "S01-001", "seq": "0"}
    parameters = {
        each["name"]: data.draw(HOSTILE | st.just(known[each["name"]]))
        for each in operation["parameters"]
    }
    body = None
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        body = data.draw(broken(data.draw(valid(fuzzed.schemas, schema))))
    before = fuzzed.stored()

    answer = fuzzed.ask(method, path.format(**parameters), body)

    assert answer.status_code < 500
    assert answers_as_told(fuzzed, operation, answer) or answer.request.path != path.format(**known)
    if answer.status_code >= 400:
        assert set(answer.json["error"]) == SHAPE
        assert answer.status_code in CODES[answer.json["error"]["code"]][0]
        assert fuzzed.stored() == before


BODIES = st.sampled_from(
    [
        *[b"", b"{", b"[]", b"nul", b"\xff\xfe", b"NaN", b"1e999", b'{"samples": Infinity}'],
        *[b"[" * 50_000, b'{"a":' * 50_000, b"9" * 5_000, b'"\\ud800"', b"\x00" * 100],
        *[b'{"samples": {}, "samples": []}', b"x" * 300_000, b'{"client":' + b"[" * 900],
    ]
) | st.binary(max_size=30)


@FUZZED
@given(
    st.data(),
    BODIES,
    st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "BREW"]),
    st.sampled_from(
        ["", "Bearer ", "Bearer x", "Basic eDp5", "Bearer " + "A" * 22, "\xe9", "own", None]
    ),
)
def test_no_body_method_or_token_overthrows_it(fuzzed, data, body, method, authorization):
    _, path, operation = data.draw(st.sampled_from(fuzzed.operations))
    parameters = {each["name"]: data.draw(HOSTILE) for each in operation["parameters"]}
    headers = {} if authorization is None else {"Authorization": authorization}
    before = fuzzed.stored()

    answer = fuzzed.ask(
        method,
        path.format(**parameters),
        body,
        fuzzed.rater.headers if authorization == "own" else headers,
    )

    assert answer.status_code < 500
    assert fuzzed.stored() == before
    if answer.status_code >= 400 and method != "HEAD" and answer.json is not None:
        assert set(answer.json["error"]) == SHAPE
        assert answer.status_code in CODES[answer.json["error"]["code"]][0]


def test_the_page_describes_every_route_for_programs(app):
    described = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith(("/api/", "/media/"))
    }
    page = app.test_client().get("/api/v1/openapi.json")

    assert described == set(OPERATIONS)
    assert page.status_code == 200
    assert page.json["openapi"] == "3.1.0"
    assert set(page.json["paths"]["/api/v1/takes/{take}/chunks/{seq}"]) == {"post"}
    for schema in page.json["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_what_is_listed_and_answered_fits_the_page(app, rater):
    rater.rate()
    page = app.test_client().get("/api/v1/openapi.json").json
    answers = {
        "Sessions": rater.get("/api/v1/sessions").json,
        "Clip": rater.get("/api/v1/calibration").json,
        "Frames": rater.get("/media/S01-001/frames").json,
    }

    for name, answer in answers.items():
        schema = {"$ref": f"#/components/schemas/{name}", "components": page["components"]}
        Draft202012Validator(schema).validate(answer)


def test_every_refusal_in_the_code_is_in_the_table_of_codes():
    found = set()
    for path in Path(annotator_web.__file__).parent.rglob("*.py"):
        found |= set(re.findall(r"Refusal\(\s*(\d+), \"(\w+)\"", path.read_text(encoding="utf-8")))

    assert len(found) > 15
    assert all(int(status) in CODES[code][0] for status, code in found)
