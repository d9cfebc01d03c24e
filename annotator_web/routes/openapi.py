"""GET /api/v1/openapi.json: the HTTP API as OpenAPI 3.1, built from what requests are checked by.

Paths and methods are those of the route table, limits are the constants of the code that checks,
columns are those of this study's dimensions, and codes those of `refusals`. What is written here by
hand is what each route is for, and which codes it answers with.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, current_app, jsonify

import mavfer
from annotator_web.access.auth import COOKIE, CSRF_HEADER
from annotator_web.project import CALIBRATION
from annotator_web.refusals import CODES
from annotator_web.routes.api import MOST_CLIENT_BYTES, MOST_CLIENT_LEVELS, MOST_SAMPLES_A_TAKE
from annotator_web.routes.media import LONGEST_RANGE_BYTES
from annotator_web.store.samples import Limits, schema_of
from annotator_web.store.takes import MOST_CHUNKS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from werkzeug.routing import Map, Rule

    from annotator_web.project import Project
    from annotator_web.routes.context import Context

__all__ = ["OPERATIONS", "Operation", "openapi_document", "openapi_routes"]

_ANY_SECONDS: Final = 86_400.0
_ANY_FRAMES: Final = 1 << 31
_PARAMETER: Final = re.compile(r"<([a-z]+)>")
_HIDDEN_METHODS: Final = ("HEAD", "OPTIONS")

_ALWAYS: Final = ("not_invited", "withdrawn", "too_many_requests")
_ON_A_CHANGE: Final = ("forged", "malformed", "request_entity_too_large", "busy", "disk_full")


@dataclass(frozen=True)
class Operation:
    """What a route is for, and what it answers."""

    summary: str
    answer: str
    """Name of a schema, or a media type."""
    body: str | None = None
    """Name of a schema; None where nothing is sent."""
    status: int = 200
    refusals: tuple[str, ...] = ()
    """Codes beside those that every route of its kind has."""
    is_public: bool = False

    @property
    def codes(self) -> tuple[str, ...]:
        """All codes that a refusal may have."""
        if self.is_public:
            return ("withdrawn", "too_many_requests")
        return (*_ALWAYS, *(_ON_A_CHANGE if self.body else ()), *self.refusals)


OPERATIONS: Final = {
    "openapi.page": Operation("This page.", "Page", is_public=True),
    "api.sessions": Operation(
        "What to rate, in order, with the takes that are there.",
        "Sessions",
        refusals=("media_damaged",),
    ),
    "api.calibration_clip": Operation("The steps of the reaction-time clip.", "Clip"),
    "api.begin": Operation(
        "Begins a take.",
        "NewTake",
        "TakeRequest",
        201,
        ("no_such_session", "consent_first", "too_many_takes", "media_damaged"),
    ),
    "api.state": Operation(
        "How far a take is, and where to go on.", "TakeState", refusals=("no_such_take",)
    ),
    "api.chunk": Operation(
        "Stores a chunk; once it is answered with 200, it is on the disk.",
        "Contiguous",
        "Chunk",
        200,
        (
            *("not_found", "no_such_take", "out_of_range", "chunk_differs", "finished"),
            "media_damaged",
        ),
    ),
    "api.finish": Operation(
        "Finishes a take of which everything is held.",
        "Finished",
        "Counts",
        200,
        ("no_such_take", "incomplete", "counts_differ"),
    ),
    "media.video": Operation(
        f"The video; a range brings at most {LONGEST_RANGE_BYTES} bytes of it, with 206.",
        "video/mp4",
        refusals=(
            *("no_such_session", "consent_first", "no_such_range"),
            *("not_prepared", "media_damaged"),
        ),
    ),
    "media.frames": Operation(
        "When each frame of the video is shown.",
        "Frames",
        refusals=("no_such_session", "consent_first", "media_damaged"),
    ),
}
"""Endpoint to what it is for."""

_PARAMETERS: Final = {
    "session": {"type": "string", "description": "Id of a session."},
    "take": {"type": "string", "description": "Id of a take, from POST /api/v1/takes."},
    "seq": {
        "type": "integer",
        "minimum": 0,
        "maximum": MOST_CHUNKS - 1,
        "description": "Number of the chunk, from 0.",
    },
}


def openapi_routes(context: Context) -> Blueprint:
    """The page that describes the API, for everybody."""
    routes = Blueprint("openapi", __name__, url_prefix="/api/v1")

    @routes.get("/openapi.json")
    def page() -> Any:
        return jsonify(openapi_document(context.project, current_app.url_map))

    return routes


def openapi_document(project: Project, table: Map) -> dict[str, Any]:
    """The OpenAPI 3.1 document of the routes in `table` that are for programs."""
    paths: dict[str, Any] = {}
    for rule in sorted(table.iter_rules(), key=lambda rule: rule.rule):
        operation = OPERATIONS.get(rule.endpoint)
        if operation is None:
            continue
        path = paths.setdefault(_PARAMETER.sub(r"{\1}", rule.rule), {})
        for method in sorted((rule.methods or set()).difference(_HIDDEN_METHODS)):
            path[method.lower()] = _operation(rule, operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "mavfer annotator",
            "version": mavfer.__version__,
            "description": "Rating over HTTP. Every refusal has the one shape of Refusal.",
        },
        "paths": paths,
        "components": {
            "schemas": _schemas(project),
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": COOKIE},
                "csrf": {"type": "apiKey", "in": "header", "name": CSRF_HEADER},
            },
        },
    }


def _operation(rule: Rule, operation: Operation) -> dict[str, Any]:
    name = operation.answer
    kind = name if "/" in name else "application/json"
    schema = {"type": "string", "format": "binary"} if "/" in name else _ref(name)
    answers = {
        str(operation.status): {"description": "Done.", "content": {kind: {"schema": schema}}}
    }
    if kind.startswith("video/"):
        answers["206"] = {**answers["200"], "description": "The range."}
    document: dict[str, Any] = {
        "operationId": rule.endpoint,
        "summary": operation.summary,
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": _PARAMETERS[name]}
            for name in _PARAMETER.findall(rule.rule)
        ],
        "responses": {**answers, **_refusals(operation.codes)},
        "security": [] if operation.is_public else [{"token": []}, {"cookie": [], "csrf": []}],
    }
    if operation.body is not None:
        content = {"application/json": {"schema": _ref(operation.body)}}
        document["requestBody"] = {"required": True, "content": content}
    return document


def _refusals(codes: Iterable[str]) -> dict[str, Any]:
    by_status: dict[int, list[str]] = {}
    for code in codes:
        by_status.setdefault(CODES[code][0][0], []).append(code)
    return {
        str(status): {
            "description": " ".join(f"{code}: {CODES[code][1]}" for code in names),
            "content": {"application/json": {"schema": _ref("Refusal")}},
            "x-codes": names,
        }
        for status, names in sorted(by_status.items())
    }


def _schemas(project: Project) -> dict[str, Any]:
    names = [dimension.name for dimension in project.dimensions]
    is_bounded = project.scale != "unbounded"
    limits = Limits(_ANY_SECONDS, _ANY_FRAMES, project.dimensions, is_bounded)
    samples = schema_of(limits)
    samples["required"] = [name for name in samples["required"] if name not in names]
    samples["description"] = "All columns have one length; a column for each dimension of the take."
    return {**_asked(names, samples), **_answered(names)}


def _asked(names: Sequence[str], samples: dict[str, Any]) -> dict[str, Any]:
    """Schemas of what is sent."""
    client = {
        "type": "object",
        "description": f"What the client says of itself: {MOST_CLIENT_BYTES} bytes, "
        f"{MOST_CLIENT_LEVELS} levels at most.",
    }
    dimensions = {
        "type": "array",
        "items": {"enum": names},
        "minItems": 1,
        "uniqueItems": True,
    }
    return {
        "TakeRequest": _object(
            {"session": {"type": "string"}, "dimensions": dimensions, "client": client}, ["client"]
        ),
        "Chunk": _object({"samples": samples}),
        "Counts": _object(
            {
                "chunks": {"type": "integer", "minimum": 0, "maximum": MOST_CHUNKS},
                "samples": {"type": "integer", "minimum": 0, "maximum": MOST_SAMPLES_A_TAKE},
                "client": client,
            },
            ["client"],
        ),
    }


def _answered(names: Sequence[str]) -> dict[str, Any]:
    """Schemas of what is answered."""
    text, whole, number = {"type": "string"}, {"type": "integer"}, {"type": "number"}
    texts = {"type": "array", "items": text}
    purposes = {"enum": ["rating", "practice", CALIBRATION]}
    states = {"enum": ["open", "finished"]}
    take = {"take": text, "number": whole, "dimensions": texts, "state": states}
    held = {name: {"type": ["number", "null"]} for name in names}
    refusal = _object({"code": {"enum": list(CODES)}, "message": text, "hint": text})
    missing = {"type": "array", "items": whole}
    return {
        "Page": {"type": "object"},
        "Refusal": _object({"error": refusal, "missing": missing}, ["missing"]),
        "Sessions": _object({"sessions": {"type": "array", "items": _ref("Session")}}),
        "Session": _object(
            {
                "session": text,
                "purpose": purposes,
                "seconds": number,
                "frames": whole,
                "media": text,
                "dimensions": {"type": "array", "items": texts},
                "takes": {"type": "array", "items": _object(take)},
            }
        ),
        "Clip": _object(
            {
                "session": {"const": CALIBRATION},
                "seconds": number,
                "rate_hz": number,
                "frames": whole,
                "transition_seconds": number,
                "steps": {"type": "array", "items": {"type": "object"}},
            }
        ),
        "NewTake": _object({"take": text, "media": text, "contiguous": {"const": 0}}),
        "TakeState": _object(
            {
                **take,
                "session": text,
                "scale": {"type": "object"},
                "contiguous": whole,
                "missing": missing,
                "chunks": whole,
                "samples": whole,
                "media_time": number,
                "frame": {"type": ["integer", "null"]},
                "values": {"type": "object", "properties": held},
            }
        ),
        "Contiguous": _object({"contiguous": whole}),
        "Finished": _object({"complete": {"const": True}}),
        "Frames": _object({"session": text, "pts_seconds": {"type": "array", "items": number}}),
    }


def _object(properties: dict[str, Any], optional: Sequence[str] = ()) -> dict[str, Any]:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
