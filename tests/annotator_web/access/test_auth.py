import pytest
from annotated_study import samples, skip_the_way

from annotator_web.access.auth import COOKIE, CSRF_HEADER, csrf_token
from annotator_web.desk.raters import revoke


@pytest.mark.parametrize("header", ["Bearer ", "Bearer x", "Basic {}", "{}", "Bearer {}x"])
def test_a_header_that_is_not_the_token_is_refused(app, rater, header):
    answer = app.test_client().get(
        "/api/v1/sessions", headers={"Authorization": header.format(rater.token)}
    )

    assert (answer.status_code, answer.json["error"]["code"]) == (401, "not_invited")


def with_cookie(app, rater):
    client = app.test_client()
    answer = client.get(f"/invitation/{rater.token}")
    return client, answer


def test_the_invitation_becomes_a_cookie_that_scripts_cannot_read(app, rater):
    client, answer = with_cookie(app, rater)
    skip_the_way(rater.context.study, "R1")
    cookie = answer.headers["Set-Cookie"]

    assert (answer.status_code, answer.headers["Location"]) == (303, "/")
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert rater.token not in cookie
    assert client.get("/").status_code == 200


@pytest.mark.parametrize("token", ["x", "A" * 22, "../../etc/passwd", "%00" * 8])
def test_other_invitations_open_nothing(app, token):
    answer = app.test_client().get(f"/invitation/{token}", headers={"Accept": "text/html"})

    assert answer.status_code in {403, 404}
    assert "Set-Cookie" not in answer.headers


def test_a_change_by_cookie_needs_the_token_of_the_page(app, rater):
    client, _ = with_cookie(app, rater)
    skip_the_way(rater.context.study, "R1")
    body = {"session": "S01-001", "dimensions": ["arousal", "valence"]}
    own = csrf_token(client.get_cookie(COOKIE).value)

    without = client.post("/api/v1/takes", json=body)
    forged = client.post("/api/v1/takes", json=body, headers={CSRF_HEADER: "é" + own[1:]})
    good = client.post("/api/v1/takes", json=body, headers={CSRF_HEADER: own})
    chunk = f"/api/v1/takes/{good.json['take']}/chunks/0"

    assert (without.status_code, without.json["error"]["code"]) == (403, "forged")
    assert forged.status_code == 403
    assert good.status_code == 201
    assert client.post(chunk, json={"samples": samples()}).status_code == 403


def test_a_form_may_carry_the_token_of_the_page_in_a_field(app, rater):
    client, _ = with_cookie(app, rater)
    own = csrf_token(client.get_cookie(COOKIE).value)
    statuses = [
        client.post("/instructions", data=data, headers=headers).status_code
        for data, headers in (
            ({}, {}),
            ({"csrf": own[::-1]}, {}),
            ({"csrf": own}, {CSRF_HEADER: "x"}),
            ({"csrf": own}, {}),
        )
    ]

    assert statuses == [403, 403, 403, 303]


def test_revoking_ends_tokens_and_open_pages_at_once(app, rater):
    client, _ = with_cookie(app, rater)
    take = rater.begin()

    count = revoke(rater.context.database, "R1")

    assert count == 1
    assert rater.send(take, 0, samples()).status_code == 401
    assert client.get("/").status_code == 401
    assert client.get(f"/invitation/{rater.token}").status_code == 403


def test_neither_tokens_nor_cookies_are_in_the_database(app, rater):
    client, _ = with_cookie(app, rater)
    cookie = client.get_cookie(COOKIE).value
    folder = rater.context.database.path.parent
    stored = b"".join(path.read_bytes() for path in folder.iterdir())

    assert len(stored) > 1000
    assert rater.token.encode() not in stored
    assert cookie.encode() not in stored


def test_pages_keep_to_themselves(app, rater):
    client, _ = with_cookie(app, rater)
    skip_the_way(rater.context.study, "R1")
    for path in ("/", "/rate/calibration", "/nothing"):
        headers = client.get(path).headers
        policy = headers["Content-Security-Policy"]

        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "unsafe-inline" not in policy
        assert headers["Cache-Control"] == "private, no-store"
        assert headers["Referrer-Policy"] == "no-referrer"
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_pages_hold_no_inline_script_or_style(app, rater):
    client, _ = with_cookie(app, rater)
    rater.calibrate(0.5)
    pages = [client.get(path).text for path in ("/", "/rate/calibration", "/rate/S01-001")]

    for page in pages:
        assert "style=" not in page
        assert "<style" not in page
        assert " on" + "click" not in page
        assert all("src=" in part.partition(">")[0] for part in page.split("<script")[1:])
