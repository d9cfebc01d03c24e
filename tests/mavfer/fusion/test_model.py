import numpy as np
import pytest

from mavfer import fusion, metrics
from mavfer.agreement.pairs import others_mean
from mavfer.fusion.lags import shifted
from mavfer.fusion.model import fit_raters, model_of

RATE_HZ = 25
NAN = float("nan")


def good_raters(seed, seconds=120, noise_seconds=0.0, raters=4):
    """What was felt, and raters who are late no more."""
    panel = fusion.simulate_raters(
        seed, raters=raters, seconds=seconds, noise_seconds=noise_seconds, with_bad=False
    )
    aligned = shifted(panel.ratings, np.round(panel.lags_seconds * RATE_HZ, 9))
    anybody = (~np.isnan(aligned)).any(axis=0)
    return panel.truth[anybody], aligned[:, anybody]


def raters_of(truth, gain, level, noise, seed=0):
    random = np.random.default_rng(seed)
    gain, level, noise = (np.array(each)[:, None] for each in (gain, level, noise))
    return gain * truth + level + noise * random.normal(size=(len(gain), len(truth)))


def test_gains_levels_and_noise_are_found():
    truth, _ = good_raters(1, seconds=240)
    truth = truth - truth.mean()
    ratings = raters_of(truth, [0.6, 1.0, 1.4], [0.2, -0.1, 0.0], [0.1, 0.3, 0.2])

    model = fit_raters(ratings, RATE_HZ)

    np.testing.assert_allclose(model.gain, [0.6, 1.0, 1.4], atol=0.03)
    np.testing.assert_allclose(model.level, [0.2, -0.1, 0.0], atol=0.02)
    np.testing.assert_allclose(model.noise, [0.1, 0.3, 0.2], rtol=0.1)
    assert np.argmax(model.information) == 2


def test_noise_that_fades_slowly_is_told_from_noise_that_is_new():
    fast = fit_raters(good_raters(2)[1], RATE_HZ)
    slow = fit_raters(good_raters(2, noise_seconds=1.0)[1], RATE_HZ)

    assert fast.fades.max() < 0.6
    assert slow.fades.min() > 0.9


@pytest.mark.parametrize("noise_seconds", [0.0, 0.5, 2.0])
def test_it_comes_nearer_to_the_truth_than_the_mean(noise_seconds):
    gains, shares = [], []
    for seed in range(12):
        truth, ratings = good_raters(seed, noise_seconds=noise_seconds)
        joint = model_of(ratings, RATE_HZ, np.ones(4, bool))
        mean = others_mean(np.vstack([ratings, np.full(len(truth), NAN)]))[-1]
        gains.append(metrics.ccc(joint.trace, truth) - metrics.ccc(mean, truth))
        shares.append(np.mean(np.abs(joint.trace - truth) <= joint.half_band))

    assert np.mean(gains) > 0
    assert 0.85 <= np.mean(shares) <= 0.97


def test_a_rater_who_leaves_makes_no_step():
    truth, _ = good_raters(4)
    ratings = raters_of(truth, [1, 1, 1], [0.5, 0.0, -0.5], [0.02, 0.02, 0.02])
    ratings[0, 1500:] = NAN

    joint = model_of(ratings, RATE_HZ, np.ones(3, bool))
    mean = fusion.fuse(ratings, "mean", RATE_HZ, lags=[0, 0, 0]).trace

    error, error_of_mean = (np.mean((t - truth)[1500:]) for t in (joint.trace, mean))
    assert abs(error) < 0.02
    assert error_of_mean < -0.2


def test_raters_who_are_not_trusted_are_not_heard():
    truth, ratings = good_raters(5)
    with_bad = np.vstack([ratings, -3 * truth, np.full(len(truth), 0.1)])
    trusted = np.array([True] * 4 + [False] * 2)

    joint = model_of(with_bad, RATE_HZ, trusted)

    np.testing.assert_allclose(joint.trace, model_of(ratings, RATE_HZ, trusted[:4]).trace)
    np.testing.assert_array_equal(joint.weights[4:], 0)
    assert joint.weights.sum() == pytest.approx(1)


def test_what_is_felt_begins_anew_after_a_gap():
    first, ratings = good_raters(6, seconds=60)
    second, others = good_raters(7, seconds=60)
    gap = np.full((4, 1), NAN)

    joint = model_of(np.concatenate([ratings, gap, others], axis=1), RATE_HZ, np.ones(4, bool))

    assert np.isnan(joint.trace[ratings.shape[1]])
    assert metrics.ccc(joint.trace[: len(first)], first) > 0.7
    assert metrics.ccc(joint.trace[-len(second) :], second) > 0.7


def test_with_nobody_to_compare_the_mean_is_given_and_said():
    trace = np.sin(np.arange(200) / 20)
    alone = model_of(np.stack([trace, trace + 1]), RATE_HZ, np.array([True, False]))
    nobody = model_of(np.stack([trace, trace + 1]), RATE_HZ, np.zeros(2, bool))
    short = model_of(np.stack([trace, trace + 1])[:, :5], RATE_HZ, np.ones(2, bool))

    assert all(each.is_fallback for each in (alone, nobody, short))
    np.testing.assert_allclose(alone.trace, trace)
    np.testing.assert_allclose(nobody.trace, trace + 0.5)
    np.testing.assert_allclose(short.trace, trace[:5] + 0.5)


def test_raters_who_say_the_same_are_taken_at_their_word():
    trace = np.sin(np.arange(300) / 20)

    joint = model_of(np.stack([trace] * 3), RATE_HZ, np.ones(3, bool))

    assert not joint.is_fallback
    np.testing.assert_allclose(joint.trace, trace, atol=1e-15)


def test_another_scale_gives_the_same_answer_on_that_scale():
    _, ratings = good_raters(8)
    plain = model_of(ratings, RATE_HZ, np.ones(4, bool))

    scaled = model_of(50 + 10 * ratings, RATE_HZ, np.ones(4, bool))

    np.testing.assert_allclose(scaled.trace, 50 + 10 * plain.trace, rtol=1e-6)
    np.testing.assert_allclose(scaled.half_band, 10 * plain.half_band, rtol=1e-6)
    np.testing.assert_allclose(scaled.weights, plain.weights, rtol=1e-6)
