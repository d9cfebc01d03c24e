"""Videos and the times of their frames, for raters who may see them, in short ranges.

A range is cut to 2 MiB whatever was asked for, so that no slow reader holds a thread for long; the
player asks for the rest by itself. Nothing is kept by the browser after the page is closed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flask import Blueprint, Response, jsonify, request, send_file

from annotator_web.refusals import Refusal

if TYPE_CHECKING:
    from pathlib import Path

    from annotator_web.routes.context import Context

__all__ = ["media_routes"]

_LONGEST_RANGE_BYTES: Final = 2 << 20
_VIDEO: Final = "video/mp4"


def media_routes(context: Context) -> Blueprint:
    """GET /media/SESSION and GET /media/SESSION/frames."""
    routes = Blueprint("media", __name__)

    @routes.get("/media/<session>")
    def video(session: str) -> Response:
        context.require_session(context.caller(), session)
        table = context.project.media_table(session)
        return _ranged(context.study.media_path(session), table.video_sha256)

    @routes.get("/media/<session>/frames")
    def frames(session: str) -> Any:
        context.require_session(context.caller(), session)
        table = context.project.media_table(session)
        return jsonify({"session": session, "pts_seconds": table.pts_seconds.tolist()})

    return routes


def _ranged(path: Path, tag: str) -> Response:
    """The file, or the range of it that was asked for, cut to what is sent at once."""
    asked = request.range if request.if_range.etag in (None, tag) else None
    if asked is None or len(asked.ranges) != 1:
        response = send_file(path, mimetype=_VIDEO, conditional=False, etag=False, max_age=0)
    else:
        response = _part(path, asked.range_for_length(path.stat().st_size))
    response.set_etag(tag)
    response.headers["Accept-Ranges"] = "bytes"
    return response


def _part(path: Path, bounds: tuple[int, int] | None) -> Response:
    size = path.stat().st_size
    if bounds is None:
        message = f"the range lies outside the {size} bytes of the video"
        refusal = Refusal(416, "no_such_range", message, "Ask for a range within it")
        refusal.headers["Content-Range"] = f"bytes */{size}"
        raise refusal
    start, stop = bounds[0], min(bounds[1], bounds[0] + _LONGEST_RANGE_BYTES)
    with path.open("rb") as file:
        file.seek(start)
        response = Response(file.read(stop - start), 206, mimetype=_VIDEO)
    response.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    return response
