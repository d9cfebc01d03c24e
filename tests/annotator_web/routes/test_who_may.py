"""Every route and every role: who may, and what the others are answered."""

import pytest
from annotated_study import Rater, make_study, samples, skip_the_way

from annotator_web.access.auth import COOKIE, CSRF_HEADER, csrf_token
from annotator_web.app import close_app, create_app
from annotator_web.desk.raters import revoke
from annotator_web.way.steps import withdraw

ROLES = ("nobody", "unsafe", "new", "cookie", "token", "another", "revoked", "withdrawn")
"""`unsafe` has a cookie without the page's token, all after it have both. `new` has not agreed yet,
`another` is a rater who asks for what is the first one's; the last two were let in before."""

TABLE = """
GET  /                                         401  200  303  200  200  200  401  403
GET  /api/v1/calibration                       401  200  200  200  200  200  401  403
GET  /api/v1/openapi.json                      200  200  200  200  200  200  200  200
GET  /api/v1/sessions                          401  200  200  200  200  200  401  403
POST /api/v1/takes                             401  403  403  201  201  201  401  403
GET  /api/v1/takes/<take>                      401  200  200  200  200  404  401  403
POST /api/v1/takes/<take>/chunks/<seq>         401  403  200  200  200  404  401  403
POST /api/v1/takes/<take>/finish               401  403  200  200  200  404  401  403
GET  /break                                    401  200  303  200  200  200  401  403
POST /break                                    401  403  303  303  303  303  401  403
GET  /consent                                  401  200  200  200  200  200  401  403
POST /consent                                  401  403  200  200  200  200  401  403
GET  /device                                   401  200  303  200  200  200  401  403
POST /device                                   401  403  400  400  400  400  401  403
GET  /end                                      401  303  303  200  200  303  401  403
GET  /instructions                             401  200  303  200  200  200  401  403
POST /instructions                             401  403  303  303  303  303  401  403
GET  /invitation/<token>                       403  403  403  403  403  403  403  403
POST /language                                 303  403  303  303  303  303  303  303
GET  /media/<session>                          401  200  403  200  200  200  401  403
GET  /media/<session>/frames                   401  200  403  200  200  200  401  403
GET  /next                                     401  303  303  303  303  303  401  403
GET  /practice                                 401  404  303  404  404  404  401  403
POST /practice                                 401  403  404  404  404  404  401  403
GET  /rate/<session>                           401  200  303  200  200  200  401  403
GET  /static/<path:filename>                   200  200  200  200  200  200  200  200
GET  /withdraw                                 401  200  200  200  200  200  401  403
GET  /withdrawn                                200  200  200  200  200  200  200  200
POST /withdraw                                 401  403  303  303  303  303  401  403
"""
"""Status of each role, in the order of ROLES: 401 and 403 nothing, 404 not theirs or not there, 303
led on or back to what comes first, 400 let in with an empty form."""


def expected():
    """Method and rule to the statuses of the roles."""
    lines = [line.split() for line in TABLE.strip().splitlines()]
    return {
        (method, rule): dict(zip(ROLES, map(int, rest), strict=True))
        for method, rule, *rest in lines
    }


def filled(rule, take):
    values = {"take": take, "seq": "0", "session": "S01-001", "token": "A" * 22}
    values["path:filename"] = "annotator.css"
    for name, value in values.items():
        rule = rule.replace(f"<{name}>", value)
    return rule


def bodies():
    take = {"session": "S01-001", "dimensions": ["arousal", "valence"]}
    return {
        "/api/v1/takes": {"json": take},
        "/api/v1/takes/<take>/chunks/<seq>": {"json": {"samples": samples()}},
        "/api/v1/takes/<take>/finish": {"json": {"chunks": 1, "samples": 25}},
        "/language": {"data": {"language": "de"}},
        "/withdraw": {"data": {"wish": "stop", "sure": "yes"}},
    }


def routes_of(app):
    """Method and rule of every route; what ends taking part comes last."""
    found = [
        (method, rule.rule)
        for rule in app.url_map.iter_rules()
        for method in rule.methods - {"HEAD", "OPTIONS"}
    ]
    return sorted(found, key=lambda route: (route == ("POST", "/withdraw"), route[1], route[0]))


@pytest.fixture(params=ROLES)
def role(request, tmp_path):
    """The role, its application, and a function that asks as it would."""
    study = make_study(tmp_path / "study", ["S01-001"], annotation={})
    app = create_app(study)
    first, second = Rater(app, "R1"), Rater(app, "R2")
    take = first.begin()
    first.send(take, 0, samples())
    for code in ("R1", "R2") if request.param != "new" else ():
        skip_the_way(study, code)
    asking = second if request.param == "another" else first
    client = app.test_client()
    headers = {}
    if request.param == "token":
        headers = asking.headers
    elif request.param != "nobody":
        client.get(f"/invitation/{asking.token}")
        if request.param != "unsafe":
            headers = {CSRF_HEADER: csrf_token(client.get_cookie(COOKIE).value)}
    if request.param == "revoked":
        revoke(first.context.database, "R1")
    if request.param == "withdrawn":
        first.context.database.write(lambda connection: withdraw(connection, 1, "stop"))

    def ask(method, rule):
        more = bodies().get(rule, {}) if method == "POST" else {}
        path = filled(rule, take)
        with client.open(path, method=method, headers=headers, buffered=True, **more) as answer:
            return answer.status_code

    yield request.param, app, ask
    close_app(app)


def test_every_role_is_let_in_as_the_table_says_and_no_route_is_missing(role):
    name, app, ask = role
    table = expected()
    routes = routes_of(app)

    found = {route: ask(*route) for route in routes}

    assert set(routes) == set(table)
    assert found == {route: statuses[name] for route, statuses in table.items()}
