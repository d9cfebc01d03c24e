import numpy as np
import pytest

from mavfer import metrics
from mavfer.fusion.raaw import raaw_of

RATE_HZ = 10
NAN = float("nan")
TIMES = np.arange(400)
SLOW = np.sin(TIMES / 40)


def test_a_slow_trace_that_all_give_is_the_result():
    joint = raaw_of(np.stack([SLOW] * 3), RATE_HZ)

    np.testing.assert_allclose(joint.trace[10:-10], SLOW[10:-10], atol=0.02)
    np.testing.assert_allclose(joint.weights, 1 / 3)


def test_raters_who_are_early_or_late_meet():
    traces = np.stack([np.sin((TIMES - lag) / 20) for lag in (-20, 0, 20)])

    joint = raaw_of(traces, RATE_HZ)

    assert metrics.ccc(joint.trace[30:-30], traces[1][30:-30]) > 0.94
    assert np.abs(traces.mean(axis=0)).max() < 0.75
    assert np.abs(joint.trace).max() > 0.82


def test_the_scale_is_the_weighted_mean_of_the_raters():
    joint = raaw_of(np.stack([SLOW, 3 * SLOW + 1]), RATE_HZ)

    np.testing.assert_allclose(joint.weights, 0.5)
    assert np.ptp(joint.trace) == pytest.approx(2 * np.ptp(SLOW), rel=0.02)
    assert joint.trace.mean() == pytest.approx(0.5 + 2 * SLOW.mean(), abs=0.02)


def test_a_mirrored_rater_has_no_weight_and_moves_nothing():
    random = np.random.default_rng(1)
    good = SLOW + random.normal(0, 0.05, (3, 400))

    joint = raaw_of(np.vstack([good, -2 * SLOW]), RATE_HZ)

    assert joint.weights[3] == 0
    np.testing.assert_allclose(joint.trace, raaw_of(good, RATE_HZ).trace, atol=0.02)


def test_gaps_and_short_runs_are_kept_as_they_are():
    traces = np.stack([SLOW, SLOW])
    traces[:, 100:110] = NAN
    traces[0, 120:397] = NAN

    joint = raaw_of(traces, RATE_HZ)

    assert np.isnan(joint.trace[100:110]).all()
    assert np.isfinite(np.delete(joint.trace, np.arange(100, 110))).all()


def test_raters_of_whom_nothing_can_be_said_count_alike():
    joint = raaw_of(np.full((2, 50), 0.25), RATE_HZ)

    assert joint.is_fallback
    np.testing.assert_allclose(joint.trace, 0.25)
