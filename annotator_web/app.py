"""The web application: routes, errors in one shape, and headers that keep pages to themselves."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from flask import Flask, Response, jsonify, render_template, request
from werkzeug.exceptions import HTTPException

from annotator_web.access.auth import find_caller
from annotator_web.access.limits import Buckets, kind_of
from annotator_web.access.protection import NOT_KEPT, headers_for
from annotator_web.project import open_project
from annotator_web.refusals import Refusal
from annotator_web.routes.api import api_routes
from annotator_web.routes.chunk_lane import IS_COUNTED, ChunkLane
from annotator_web.routes.context import Context
from annotator_web.routes.media import media_routes
from annotator_web.routes.openapi import openapi_routes
from annotator_web.routes.pages import page_routes
from annotator_web.store.database import Database, NotStored, database_path
from mavfer.study.study import Study

__all__ = ["close_app", "create_app"]

_LONGEST_BODY_BYTES: Final = 256 << 10
_CONTEXT: Final = "mavfer-context"

_DISK_FULL_RETRY_SECONDS: Final = 10


def create_app(study: Study | Path | str, database: str | None = None) -> Flask:
    """The annotator of one study, a WSGI application.

    Args:
        study: The study, or its folder.
        database: Path or sqlite:/// URL of the database; None for the study's own.

    Raises:
        NotFound: There is no study, or it is not prepared for showing.
        CommandError: annotation.json or `database` asks for what cannot be served.
        InvalidFile: annotation.json or the database is damaged.
    """
    opened = study if isinstance(study, Study) else Study.open(Path(study))
    project = open_project(opened)
    project.require_shown()
    store = Database(database_path(opened, database), opened)
    store.start_writer()
    context = Context(opened, project, store)
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = _LONGEST_BODY_BYTES
    app.extensions[_CONTEXT] = context
    for routes in (api_routes, media_routes, openapi_routes, page_routes):
        app.register_blueprint(routes(context))
    buckets = Buckets()
    app.before_request(lambda: _guard(context, buckets))
    app.register_error_handler(Refusal, _tell)
    app.register_error_handler(NotStored, _tell_not_stored)
    app.register_error_handler(HTTPException, _tell_http)
    app.after_request(_protect)
    app.wsgi_app = ChunkLane(app.wsgi_app, context, buckets)  # type: ignore[method-assign]
    return app


def close_app(app: Flask) -> None:
    """Commits what waits and closes the database."""
    app.extensions[_CONTEXT].database.close()


def _guard(context: Context, buckets: Buckets) -> None:
    """Counts what a rater asks for.

    Whoever is nobody's rater is left to the route, which refuses before it reads the body.
    """
    if request.endpoint == "static" or request.environ.get(IS_COUNTED):
        return
    caller = find_caller(context.database, request)
    if caller is not None:
        buckets.require(caller.rater, kind_of(request.method, request.path))


def _tell(refusal: Refusal) -> Response:
    """A refusal, as JSON for programs and as a page for people."""
    if _is_for_a_person():
        response = Response(render_template("message.html", refusal=refusal), mimetype="text/html")
    else:
        response = jsonify(refusal.to_document())
    response.status_code = refusal.status
    response.headers.update(refusal.headers)
    return response


def _tell_not_stored(error: NotStored) -> Response:
    """The disk took nothing; clients keep their samples and come again."""
    status, code = (503, "busy") if error.is_passing else (507, "disk_full")
    hint = "Keep what you have and send it again; the study's manager has to look after the server"
    refusal = Refusal(status, code, str(error), hint)
    refusal.headers["Retry-After"] = "1" if error.is_passing else str(_DISK_FULL_RETRY_SECONDS)
    return _tell(refusal)


def _tell_http(error: HTTPException) -> Response:
    """What Flask refuses on its own, in the same shape."""
    status = error.code or 500
    code = (error.name or "error").lower().replace(" ", "_")
    message = f"{request.method} {request.path[:80]}: {error.name}"
    hints = {413: f"Send at most {_LONGEST_BODY_BYTES} bytes at once"}
    refusal = Refusal(status, code, message, hints.get(status, "See docs/annotate.md"))
    for name, value in error.get_headers():
        if name == "Allow":
            refusal.headers[name] = value
    return _tell(refusal)


def _is_for_a_person() -> bool:
    is_page = not request.path.startswith(("/api/", "/media/", "/static/"))
    return is_page and request.accept_mimetypes.accept_html


def _protect(response: Response) -> Any:
    response.headers.update(headers_for(request.scheme))
    is_static = request.endpoint == "static" and response.status_code < HTTPStatus.BAD_REQUEST
    response.headers["Cache-Control"] = "no-cache" if is_static else NOT_KEPT
    return response
