"""Headers that keep pages to themselves, on every answer, and the word of a proxy on HTTPS.

The policy allows our own files alone: no inline script or style, nothing from elsewhere, no frame
around a page. Where the request came over HTTPS, also through a proxy, the browser is told to
insist on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

__all__ = ["NOT_KEPT", "BehindProxy", "headers_for"]

NOT_KEPT: Final = "private, no-store"
"""Cache-Control of everything but our own static files."""

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
_SECURE_HEADERS: Final = {**_HEADERS, "Strict-Transport-Security": "max-age=31536000"}


def headers_for(scheme: str) -> Mapping[str, str]:
    """What every answer carries, by the scheme that the request came with."""
    return _SECURE_HEADERS if scheme == "https" else _HEADERS


class BehindProxy:
    """The application, to whom one proxy may say by X-Forwarded-Proto how raters came to it.

    Nothing else that a proxy may say is heard: raters are known by their cookies, not addresses.
    """

    def __init__(self, app: WSGIApplication, address: str) -> None:
        """Hears the proxy at `address` alone."""
        self._app, self._address = app, address

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answers as `app` does; of several proxies in a row, the first met the rater."""
        said = environ.pop("HTTP_X_FORWARDED_PROTO", "").partition(",")[0].strip().lower()
        if said in {"http", "https"} and environ.get("REMOTE_ADDR") == self._address:
            environ["wsgi.url_scheme"] = said
        return self._app(environ, start_response)
