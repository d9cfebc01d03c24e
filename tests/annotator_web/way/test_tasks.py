from annotator_web.access.auth import Caller
from annotator_web.way.tasks import minutes_left, task_for, tasks_of

PERSON = Caller(rater=1, code="R1", kind="person", sessions=None, has_cookie=True)


def tasks(rater, caller=PERSON):
    with rater.context.database.reading() as connection:
        return tasks_of(connection, rater.context.project, caller)


def test_tasks_tell_what_is_begun_and_done(rater):
    first = tasks(rater)
    order = [task.session for task in first]
    rater.rate(order[0])
    rater.begin(order[1])
    after = tasks(rater)

    assert sorted(order) == ["S01-001", "S02-001"]
    assert [task.position for task in first] == [1, 2]
    assert [(task.is_begun, task.is_done) for task in after] == [(True, True), (True, False)]
    assert (minutes_left(first), minutes_left(after)) == (1, 1)


def test_an_invitation_to_some_sessions_asks_for_those(rater):
    some = Caller(rater=1, code="R1", kind="person", sessions=("S02-001",), has_cookie=True)

    assert [task.session for task in tasks(rater, some)] == ["S02-001"]


def test_a_rating_page_is_for_the_first_task_of_its_session_that_is_left(rater):
    found = tasks(rater)

    assert task_for(found, "S02-001").session == "S02-001"
    assert task_for(found, "S09-001") is None
