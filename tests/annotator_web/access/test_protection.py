import pytest

from annotator_web.access.auth import COOKIE
from annotator_web.access.protection import BehindProxy

SECURE = {"wsgi.url_scheme": "https"}
PATHS = (
    "/",
    "/nothing-here",
    "/static/annotator.css",
    "/api/v1/sessions",
    "/media/S01-001",
    "/invitation/none-that-exists",
)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("with_token", [True, False])
def test_every_answer_keeps_to_itself(app, rater, path, with_token):
    headers = rater.headers if with_token else {}
    answer = app.test_client().get(path, headers=headers)
    answer.close()

    policy = answer.headers["Content-Security-Policy"].split("; ")
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    is_static = path.startswith("/static/")
    assert answer.headers["Cache-Control"] == ("no-cache" if is_static else "private, no-store")
    assert "Strict-Transport-Security" not in answer.headers


@pytest.mark.parametrize("path", PATHS)
def test_over_https_the_browser_is_told_to_stay_there(app, path):
    answer = app.test_client().get(path, environ_overrides=SECURE)
    answer.close()

    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000"


@pytest.mark.parametrize("is_secure", [True, False])
def test_the_cookie_is_for_https_where_it_came_over_https(app, rater, is_secure):
    overrides = SECURE if is_secure else {}
    answer = app.test_client().get(f"/invitation/{rater.token}", environ_overrides=overrides)
    cookie = answer.headers["Set-Cookie"]

    assert cookie.startswith(f"{COOKIE}=")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert ("Secure" in cookie) == is_secure


@pytest.mark.parametrize(
    ("said", "address", "scheme"),
    [
        ("https", "127.0.0.1", "https"),
        ("HTTPS , http", "127.0.0.1", "https"),
        ("http", "127.0.0.1", "http"),
        ("gopher", "127.0.0.1", "http"),
        ("", "127.0.0.1", "http"),
        ("https", "10.0.0.9", "http"),
        ("https", None, "http"),
    ],
)
def test_only_the_proxy_that_is_trusted_is_heard(said, address, scheme):
    environ = {"wsgi.url_scheme": "http", "HTTP_X_FORWARDED_PROTO": said, "REMOTE_ADDR": address}

    def app(seen, _start_response):
        return [seen["wsgi.url_scheme"].encode(), str("HTTP_X_FORWARDED_PROTO" in seen).encode()]

    assert BehindProxy(app, "127.0.0.1")(environ, None) == [scheme.encode(), b"False"]
