import numpy as np
import pytest
from annotated_study import make_study
from led_rater import Person, write_expert

from annotator_web.app import close_app, create_app
from annotator_web.way.practice import MOST_TRIES, practice_state

RATE_HZ = 10
TIMES = np.arange(120) / RATE_HZ
EXPERT = {"arousal": 0.5 * np.sin(TIMES), "valence": 0.6 * np.cos(1.7 * TIMES)}


def practice_app(root, **annotation):
    study = make_study(
        root,
        ["S01-001", "P01-001"],
        host_ns=np.rint(TIMES * 1e9).astype(np.int64),
        annotation={
            "practice": {"session": "P01-001", "label": "expert", "pass_ccc": 0.8},
            **annotation,
        },
    )
    return create_app(study)


@pytest.fixture
def made(tmp_path):
    app = practice_app(tmp_path / "study")
    write_expert(app.extensions["mavfer-context"].study, "P01-001", TIMES, EXPERT)
    yield app
    close_app(app)


def state_of(rater):
    project = rater.context.project
    with rater.context.database.reading() as connection:
        return practice_state(connection, project, project.practice, 1)


def give(rater, lag_seconds=0.0, gain=1.0, dimensions=("arousal", "valence")):
    """One finished take that follows the expert so much later."""
    late = np.clip(TIMES - lag_seconds, 0, None)
    values = {"arousal": 0.5 * np.sin(late), "valence": 0.6 * np.cos(1.7 * late)}
    rater.give("P01-001", TIMES, {name: gain * values[name] for name in dimensions})


def test_before_the_first_try_there_is_no_outcome(made):
    state = state_of(Person(made, "R1"))

    assert (state.tries, state.is_begun, state.outcome) == (0, False, None)
    assert not state.may_go_on


def test_who_follows_the_expert_late_passes(made):
    rater = Person(made, "R1")
    give(rater, lag_seconds=0.8)
    state = state_of(rater)

    assert state.outcome.lag_seconds == pytest.approx(0.8, abs=0.11)
    assert state.outcome.is_passed
    assert state.may_go_on
    assert [line.mark for line in state.outcome.lines] == pytest.approx([1, 1], abs=0.02)
    assert state.details()["passed"] is True


def test_who_mistakes_the_ends_fails_and_goes_on_after_three_tries(made):
    rater = Person(made, "R1")
    seen = []
    for _ in range(MOST_TRIES):
        give(rater, gain=-1)
        seen.append((state_of(rater).outcome.is_passed, state_of(rater).may_go_on))

    assert seen == [(False, False), (False, False), (False, True)]
    assert state_of(rater).details()["tries"] == MOST_TRIES


def test_the_last_try_counts(made):
    rater = Person(made, "R1")
    give(rater, gain=-1)
    give(rater)

    assert state_of(rater).outcome.is_passed


def test_who_rates_too_little_cannot_be_compared(made):
    rater = Person(made, "R1")
    rater.give("P01-001", TIMES[:20], {name: trace[:20] for name, trace in EXPERT.items()})
    state = state_of(rater)

    assert [line.mark for line in state.outcome.lines] == [None, None]
    assert not state.outcome.is_passed


def test_one_dimension_at_a_time_makes_a_try_of_two_takes(tmp_path):
    app = practice_app(tmp_path / "study", mode="one_at_a_time")
    write_expert(app.extensions["mavfer-context"].study, "P01-001", TIMES, EXPERT)
    try:
        rater = Person(app, "R1")
        give(rater, dimensions=["arousal"])
        half = state_of(rater)
        give(rater, dimensions=["valence"])
        whole = state_of(rater)
    finally:
        close_app(app)

    assert (half.tries, half.is_begun, half.next_dimensions) == (0, True, ("valence",))
    assert (whole.tries, whole.is_begun, whole.next_dimensions) == (1, False, ("arousal",))
    assert whole.outcome.is_passed


def test_a_scale_without_ends_is_judged_by_its_shape(tmp_path):
    app = practice_app(tmp_path / "study", scale="unbounded")
    write_expert(app.extensions["mavfer-context"].study, "P01-001", TIMES, EXPERT)
    try:
        rater = Person(app, "R1")
        give(rater, gain=70)
        state = state_of(rater)
    finally:
        close_app(app)

    assert state.outcome.is_passed


def test_where_the_expert_is_missing_everybody_passes(tmp_path):
    app = practice_app(tmp_path / "study")
    try:
        rater = Person(app, "R1")
        give(rater)
        state = state_of(rater)
    finally:
        close_app(app)

    assert state.outcome.lines == ()
    assert state.may_go_on
