"""Headers that keep pages to themselves, on every answer; and forged or foreign requests apart.

The policy allows our own files alone: no inline script or style, nothing from elsewhere, no frame
around a page. Where the request came over HTTPS, also through a proxy, the browser is told to
insist on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["NOT_KEPT", "headers_for"]

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
