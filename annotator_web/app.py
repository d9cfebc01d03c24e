"""The web application: routes, errors in one shape, and headers that keep pages to themselves."""

from __future__ import annotations

from http import HTTPStatus
from pathlib import Path
from typing import Any, Final

from flask import Flask, Response, jsonify, render_template, request
from werkzeug.exceptions import HTTPException

from annotator_web.project import open_project
from annotator_web.refusals import Refusal
from annotator_web.routes.api import api_routes
from annotator_web.routes.context import Context
from annotator_web.routes.media import media_routes
from annotator_web.routes.pages import page_routes
from annotator_web.store.database import Database, database_path
from mavfer.study.study import Study

__all__ = ["close_app", "create_app"]

_LONGEST_BODY_BYTES: Final = 256 << 10
_CONTEXT: Final = "mavfer-context"

_POLICY: Final = "; ".join(
    [
        "default-src 'none'",
        *(f"{kind}-src 'self'" for kind in ("script", "style", "img", "media", "connect", "font")),
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    ]
)
_HEADERS: Final = {
    "Content-Security-Policy": _POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def create_app(study: Study | Path | str, database: str | None = None) -> Flask:
    """The annotator of one study, a WSGI application.

    Args:
        study: The study, or its folder.
        database: Path or sqlite:/// URL of the database; None for the study's own.

    Raises:
        NotFound: There is no study.
        CommandError: annotation.json or `database` asks for what cannot be served.
        InvalidFile: annotation.json or the database is damaged.
    """
    opened = study if isinstance(study, Study) else Study.open(Path(study))
    project = open_project(opened)
    store = Database(database_path(opened, database))
    store.start_writer()
    context = Context(opened, project, store)
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = _LONGEST_BODY_BYTES
    app.extensions[_CONTEXT] = context
    for routes in (api_routes(context), media_routes(context), page_routes(context)):
        app.register_blueprint(routes)
    app.register_error_handler(Refusal, _tell)
    app.register_error_handler(HTTPException, _tell_http)
    app.after_request(_protect)
    return app


def close_app(app: Flask) -> None:
    """Commits what waits and closes the database."""
    app.extensions[_CONTEXT].database.close()


def _tell(refusal: Refusal) -> Response:
    """A refusal, as JSON for programs and as a page for people."""
    if _is_for_a_person():
        response = Response(render_template("message.html", refusal=refusal), mimetype="text/html")
    else:
        response = jsonify(refusal.to_document())
    response.status_code = refusal.status
    response.headers.update(refusal.headers)
    return response


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
    response.headers.update(_HEADERS)
    is_static = request.endpoint == "static" and response.status_code < HTTPStatus.BAD_REQUEST
    response.headers["Cache-Control"] = "no-cache" if is_static else "private, no-store"
    return response
