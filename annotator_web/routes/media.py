"""Videos and the times of their frames, for raters who may see them, in short ranges.

A range is cut to 2 MiB whatever was asked for, so that no slow reader holds a thread for long; the
player asks for the rest by itself. Nothing is kept by the browser after the page is closed. A
session's name is looked up among the rater's sessions before any path is made of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, Response, jsonify, request, send_file

from annotator_web.refusals import Refusal
from mavfer.errors import MavferError, NotFound

if TYPE_CHECKING:
    from pathlib import Path

    from annotator_web.routes.context import Context

__all__ = ["LONGEST_RANGE_BYTES", "media_routes"]

LONGEST_RANGE_BYTES: Final = 2 << 20
"""What is sent at once of a video."""

_VIDEO: Final = "video/mp4"


def media_routes(context: Context) -> Blueprint:
    """GET /media/SESSION and GET /media/SESSION/frames."""
    routes = Blueprint("media", __name__)

    @routes.get("/media/<session>")
    def video(session: str) -> Response:
        context.require_session(context.caller(), session)
        return _ranged(*_shown_media(context, session))

    @routes.get("/media/<session>/frames")
    def frames(session: str) -> Any:
        context.require_session(context.caller(), session)
        table = context.media_table(session)
        return jsonify({"session": session, "pts_seconds": table.pts_seconds.tolist()})

    return routes


def _shown_media(context: Context, session: str) -> tuple[Path, str]:
    """The video that is shown, and what tells it from another version.

    Raises:
        Refusal: 409 where streams are shown that were not put side by side, or media are damaged.
    """
    try:
        return context.project.shown_media(session)
    except NotFound as error:
        streams = ", ".join(context.project.streams_shown)
        message = f"session {session}: {streams} were not put side by side yet"
        hint = "The study's manager has to run: mavfer annotate prepare"
        raise Refusal(409, "not_prepared", message, hint) from error
    except MavferError as error:
        raise context.damaged(session) from error


def _ranged(path: Path, tag: str) -> Response:
    """The file, or the range of it that was asked for, cut to what is sent at once."""
    asked = request.range if _is_of_this_version(tag) else None
    if asked is None or asked.units != "bytes" or len(asked.ranges) != 1:
        response = send_file(path, mimetype=_VIDEO, conditional=False, etag=False, max_age=0)
    else:
        response = _part(path, asked.range_for_length(path.stat().st_size))
    response.set_etag(tag)
    response.headers["Accept-Ranges"] = "bytes"
    return response


def _is_of_this_version(tag: str) -> bool:
    """Whether a range may be answered: If-Range is missing, or names this very version."""
    condition = request.headers.get("If-Range")
    return condition is None or condition.strip() == f'"{tag}"'


def _part(path: Path, bounds: tuple[int, int] | None) -> Response:
    size = path.stat().st_size
    if bounds is None:
        message = f"the range lies outside the {size} bytes of the video"
        refusal = Refusal(416, "no_such_range", message, "Ask for a range within it")
        refusal.headers["Content-Range"] = f"bytes */{size}"
        raise refusal
    start, stop = bounds[0], min(bounds[1], bounds[0] + LONGEST_RANGE_BYTES)
    with path.open("rb") as file:
        file.seek(start)
        response = Response(file.read(stop - start), 206, mimetype=_VIDEO)
    response.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    return response
