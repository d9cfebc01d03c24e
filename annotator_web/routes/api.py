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
from annotator_web.store.samples import MOST_SAMPLES, columns_of, pack
from annotator_web.way import calibration
from annotator_web.way.plan import make_plan, plan_of, purpose_of, takes_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from annotator_web.access.auth import Caller
    from annotator_web.routes.context import Context
    from annotator_web.store.takes import Purpose, Take

__all__ = ["MOST_CLIENT_BYTES", "MOST_CLIENT_LEVELS", "MOST_SAMPLES_A_TAKE", "api_routes"]

MOST_CLIENT_BYTES: Final = 4_096
"""What a client may say of itself, as JSON."""

MOST_CLIENT_LEVELS: Final = 8
"""How deep objects and lists may lie in one another there."""

MOST_SAMPLES_A_TAKE: Final = takes.MOST_CHUNKS * MOST_SAMPLES

_MOST_DIGITS: Final = 9
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

    @routes.post("/takes/<take>/chunks/<seq>")
    def chunk(take: str, seq: str) -> Any:
        found = _own_take(context, take)
        number = _seq(seq)
        return jsonify({"contiguous": _add_chunk(context, found, number, _json_body())})

    @routes.post("/takes/<take>/finish")
    def finish(take: str) -> Any:
        _finish(context, _own_take(context, take), _json_body())
        return jsonify({"complete": True})

    return routes


def _session_documents(context: Context, caller: Caller) -> list[dict[str, Any]]:
    """What a rater gives, in order, with the takes that are there already.

    A session that is shown twice stands here twice, and nothing says that it does.
    """
    project, sessions = context.project, context.sessions_of(caller)
    with context.database.reading() as connection:
        found = takes.find_takes(connection, caller.rater)
        entries = plan_of(connection, project, caller.rater, sessions)
    documents = []
    if project.practice is not None and project.can_be_rated(project.practice.session):
        documents.append(_warm_up(context, project.practice.session, "practice", found))
    if project.has_calibration:
        documents.append(_warm_up(context, CALIBRATION, "calibration", found))
    for entry in entries:
        mine = takes_of(entry, found)
        groups = [entry.dimensions]
        documents.append(_session_document(context, entry.session, "rating", groups, mine))
    return documents


def _warm_up(
    context: Context, session: str, purpose: Purpose, found: Sequence[Take]
) -> dict[str, Any]:
    """The practice or reaction-time clip; all of its takes count alike."""
    mine = [take for take in found if take.session == session]
    return _session_document(context, session, purpose, context.groups(session), mine)


def _session_document(
    context: Context,
    session: str,
    purpose: Purpose,
    groups: Sequence[Sequence[str]],
    found: Sequence[Take],
) -> dict[str, Any]:
    limits = context.limits(session, [])
    return {
        "session": session,
        "purpose": purpose,
        "seconds": round(limits.seconds, 3),
        "frames": limits.frames,
        "media": _media_url(session),
        "dimensions": [list(group) for group in groups],
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
    if session == CALIBRATION and context.project.has_calibration:
        context.require_agreement(caller)
    else:
        context.require_session(caller, session)
        video_sha256 = context.media_table(session).video_sha256
    row = {
        "rater": caller.rater,
        "session": session,
        "dimensions": _dimension_names(context, session, names),
        "client": _client(body),
        "scale": context.scale_of(session, names),
        "video_sha256": video_sha256,
    }
    take, sessions = new_token(), context.sessions_of(caller)

    def change(connection: Connection) -> None:
        make_plan(connection, context.project, caller.rater, sessions)
        purpose = _purpose(connection, context, row, sessions)
        takes.begin_take(connection, take, {**row, "purpose": purpose})

    context.database.write(change)
    return {"take": take, "media": _media_url(session), "contiguous": 0}


def _purpose(
    connection: Connection, context: Context, row: dict[str, Any], sessions: list[str]
) -> Purpose:
    """Why a take is given; raters are not asked, and not told where it is a repeat."""
    session, project = row["session"], context.project
    if session == CALIBRATION:
        return "calibration"
    if project.is_practice(session):
        return "practice"
    entries = plan_of(connection, project, row["rater"], sessions)
    found = takes.find_takes(connection, row["rater"])
    return purpose_of(entries, found, session, row["dimensions"])


def _finish(context: Context, take: Take, body: dict[str, Any]) -> None:
    counts = {
        "chunk_count": _count(body, "chunks", takes.MOST_CHUNKS),
        "sample_count": _count(body, "samples", MOST_SAMPLES_A_TAKE),
    }
    client = {**take.client, **_client(body)}
    _require_small(client)
    context.database.write(
        lambda connection: takes.finish_take(connection, take, **counts, client=client)
    )


def _dimension_names(context: Context, session: str, names: list[Any]) -> list[str]:
    known = [name for group in context.groups(session) for name in group]
    if len({str(name) for name in names}) != len(names) or not all(n in known for n in names):
        message = f"dimensions {names!r}"[:80] + f": choose from {', '.join(known)}, each once"
        raise Refusal(400, "malformed", message, _SEE_DOCS)
    return [str(name) for name in names]


def _client(body: dict[str, Any]) -> dict[str, Any]:
    client = body.get("client", {})
    if not isinstance(client, dict) or not _is_shallow(client, MOST_CLIENT_LEVELS):
        message = f"client: must be an object of at most {MOST_CLIENT_LEVELS} levels"
        raise Refusal(400, "malformed", message, _SEE_DOCS)
    _require_small(client)
    return client


def _is_shallow(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return True
    cells = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_is_shallow(cell, levels - 1) for cell in cells)


def _require_small(client: dict[str, Any]) -> None:
    """Returns where what a client says of itself can be kept, and written to a file later."""
    try:
        size = len(json.dumps(client, ensure_ascii=False, allow_nan=False).encode())
    except ValueError as error:
        message = "client: has half a character, or a number that no float can hold"
        raise Refusal(400, "malformed", message, _SEE_DOCS) from error
    if size > MOST_CLIENT_BYTES:
        message = f"client: {size} bytes; {MOST_CLIENT_BYTES} are kept"
        raise Refusal(400, "malformed", message, _SEE_DOCS)


def _own_take(context: Context, take: str) -> Take:
    """The take, for a request that changes it."""
    caller = context.changing_caller()
    with context.database.reading() as connection:
        return takes.require_take(connection, take, caller.rater)


def _seq(text: str) -> int:
    """The number of a chunk, from its path; not by Flask, whom some thousand digits overthrow."""
    if not (text.isascii() and text.isdecimal()):
        message = f"chunk {text[:20]!r}: chunks are numbered from 0"
        raise Refusal(404, "not_found", message, _SEE_DOCS)
    if len(text) > _MOST_DIGITS or int(text) >= takes.MOST_CHUNKS:
        message = f"chunk {text[:20]}: a take has at most {takes.MOST_CHUNKS} chunks"
        raise Refusal(400, "malformed", message, "Finish this take and begin another")
    return int(text)


def _add_chunk(context: Context, take: Take, seq: int, body: Any) -> int:
    columns = columns_of(body, context.limits_of(take))
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
