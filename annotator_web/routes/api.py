"""The HTTP API that raters' clients are written against: takes, chunks, finish.

A chunk that was answered with 200 is on the disk. Sending it again changes nothing.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, jsonify, request, url_for

from annotator_web.access.auth import new_token
from annotator_web.project import CALIBRATION
from annotator_web.refusals import Refusal
from annotator_web.store import takes
from annotator_web.store.samples import columns_of, pack
from annotator_web.way import calibration

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from annotator_web.access.auth import Caller
    from annotator_web.routes.context import Context
    from annotator_web.store.takes import Take

__all__ = ["api_routes"]

_MOST_CLIENT_BYTES: Final = 4_096
_MOST_SAMPLES_A_TAKE: Final = takes.MOST_CHUNKS * 2_000
_SEE_DOCS: Final = "See docs/annotate.md, 'HTTP API'"


def api_routes(context: Context) -> Blueprint:
    """Everything below /api/v1."""
    routes = Blueprint("api", __name__, url_prefix="/api/v1")

    @routes.get("/sessions")
    def sessions() -> Any:
        return jsonify({"sessions": _session_documents(context, context.caller())})

    @routes.get("/calibration")
    def calibration_clip() -> Any:
        context.caller()
        return jsonify(calibration.clip_document(context.calibration_dimensions()))

    @routes.post("/takes")
    def begin() -> Any:
        caller = context.changing_caller()
        return jsonify(_begin(context, caller, _json_body())), 201

    @routes.get("/takes/<take>")
    def state(take: str) -> Any:
        caller = context.caller()
        with context.database.reading() as connection:
            found = takes.require_take(connection, take, caller.rater)
            return jsonify(takes.state_of(connection, found))

    @routes.post("/takes/<take>/chunks/<int:seq>")
    def chunk(take: str, seq: int) -> Any:
        found = _own_take(context, take)
        return jsonify({"contiguous": _add_chunk(context, found, seq, _json_body())})

    @routes.post("/takes/<take>/finish")
    def finish(take: str) -> Any:
        found = _own_take(context, take)
        body = _json_body()
        counts = {
            "chunk_count": _count(body, "chunks", takes.MOST_CHUNKS),
            "sample_count": _count(body, "samples", _MOST_SAMPLES_A_TAKE),
        }
        context.database.write(lambda connection: takes.finish_take(connection, found, **counts))
        return jsonify({"complete": True})

    return routes


def _session_documents(context: Context, caller: Caller) -> list[dict[str, Any]]:
    """The reaction-time clip, if there is one, and the rater's sessions with their takes."""
    names = [CALIBRATION] if context.project.has_calibration else []
    with context.database.reading() as connection:
        return [
            _session_document(context, caller, name, connection)
            for name in [*names, *context.sessions_of(caller)]
        ]


def _session_document(
    context: Context, caller: Caller, session: str, connection: Connection
) -> dict[str, Any]:
    limits = context.limits(session, [])
    found = takes.find_takes(connection, caller.rater, session)
    return {
        "session": session,
        "seconds": round(limits.seconds, 3),
        "frames": limits.frames,
        "media": _media_url(session),
        "dimensions": [list(group) for group in _groups(context, session)],
        "takes": [
            {
                "take": take.id,
                "number": take.number,
                "dimensions": list(take.dimensions),
                "state": "finished" if take.is_finished else "open",
            }
            for take in found
        ],
    }


def _begin(context: Context, caller: Caller, body: dict[str, Any]) -> dict[str, Any]:
    session, names = body.get("session"), body.get("dimensions")
    if not isinstance(session, str) or not isinstance(names, list) or not names:
        message = 'a take needs {"session": …, "dimensions": […], "client": {…}}'
        raise Refusal(400, "malformed", message, _SEE_DOCS)
    video_sha256 = None
    if session != CALIBRATION or not context.project.has_calibration:
        context.require_session(caller, session)
        video_sha256 = context.project.media_table(session).video_sha256
    row = {
        "rater": caller.rater,
        "session": session,
        "dimensions": _dimension_names(context, session, names),
        "client": _client(body),
        "purpose": "calibration" if session == CALIBRATION else "rating",
        "scale": context.scale_of(session, names),
        "video_sha256": video_sha256,
    }
    take = new_token()
    context.database.write(lambda connection: takes.begin_take(connection, take, row))
    return {"take": take, "media": _media_url(session), "contiguous": 0}


def _dimension_names(context: Context, session: str, names: list[Any]) -> list[str]:
    known = [name for group in _groups(context, session) for name in group]
    if len({str(name) for name in names}) != len(names) or not all(n in known for n in names):
        message = f"dimensions {names!r}"[:80] + f": choose from {', '.join(known)}, each once"
        raise Refusal(400, "malformed", message, _SEE_DOCS)
    return [str(name) for name in names]


def _groups(context: Context, session: str) -> list[tuple[str, ...]]:
    """The dimensions of each take that a session, or the clip, asks for."""
    if session == CALIBRATION:
        return [tuple(dimension.name for dimension in context.calibration_dimensions())]
    return context.project.groups()


def _client(body: dict[str, Any]) -> dict[str, Any]:
    client = body.get("client", {})
    if not isinstance(client, dict) or len(json.dumps(client)) > _MOST_CLIENT_BYTES:
        message = f"client: must be an object of at most {_MOST_CLIENT_BYTES} bytes"
        raise Refusal(400, "malformed", message, _SEE_DOCS)
    return client


def _own_take(context: Context, take: str) -> Take:
    """The take, for a request that changes it."""
    caller = context.changing_caller()
    with context.database.reading() as connection:
        return takes.require_take(connection, take, caller.rater)


def _add_chunk(context: Context, take: Take, seq: int, body: Any) -> int:
    if seq >= takes.MOST_CHUNKS:
        message = f"chunk {seq}: a take has at most {takes.MOST_CHUNKS} chunks"
        raise Refusal(400, "malformed", message, "Finish this take and begin another")
    columns = columns_of(body, context.limits(take.session, take.dimensions))
    chunk = takes.Chunk(
        seq=seq,
        samples=columns.shape[1],
        last_media_time=float(columns[0, -1]),
        blob=pack(columns),
    )
    return context.database.write(lambda connection: takes.add_chunk(connection, take, chunk))


def _count(body: dict[str, Any], name: str, most: int) -> int:
    count = body.get(name)
    if type(count) is not int or not 0 <= count <= most:
        message = f"{name}: must be a whole number from 0 to {most}"
        raise Refusal(400, "malformed", message, _SEE_DOCS)
    return count


def _json_body() -> dict[str, Any]:
    """The request's JSON object; NaN and Infinity, which JSON does not have, are refused.

    Raises:
        Refusal: 400 where it is something else.
    """
    try:
        body = json.loads(request.get_data(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        message = f"the body is not JSON ({str(error)[:60]})"
        raise Refusal(400, "malformed", message, _SEE_DOCS) from error
    if not isinstance(body, dict):
        message = "the body must be a JSON object"
        raise Refusal(400, "malformed", message, _SEE_DOCS)
    return body


def _refuse_constant(name: str) -> float:
    message = f"{name} is no JSON number; a missing value is null"
    raise ValueError(message)


def _media_url(session: str) -> str:
    if session == CALIBRATION:
        return url_for("api.calibration_clip")
    return url_for("media.video", session=session)
