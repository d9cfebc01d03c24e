import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mavfer import fusion, metrics
from mavfer.errors import CommandError, InvalidArray

NAN = float("nan")
VALUES = st.floats(-5, 5).map(lambda value: round(value, 3))


def at_rest(ratings):
    return np.zeros(np.shape(ratings)[:-1])


def noisy(seed=0, raters=5, times=400):
    random = np.random.default_rng(seed)
    common = np.cumsum(random.normal(0, 0.1, times))
    return common, common + random.normal(0, 0.3, (raters, times))


@pytest.mark.parametrize("method", [each for each in fusion.METHODS if each != "raaw"])
@settings(deadline=None)  # warping is compiled in the first one
@given(trace=arrays(float, 30, elements=VALUES))
def test_the_fusion_of_identical_traces_is_the_trace(method, trace):
    fused = fusion.fuse([trace] * 3, method, lags=[0, 0, 0])

    np.testing.assert_allclose(fused.trace, trace, atol=1e-12)
    np.testing.assert_allclose(fused.low, fused.high, atol=1e-9)
    np.testing.assert_allclose(fused.weights, 1 / 3)


@pytest.mark.parametrize("method", fusion.METHODS)
def test_the_order_of_raters_is_free(method):
    _, ratings = noisy()
    order = [3, 0, 4, 2, 1]
    plain = fusion.fuse(ratings, method, lags=at_rest(ratings))
    mixed = fusion.fuse(ratings[order], method, lags=at_rest(ratings))

    np.testing.assert_allclose(mixed.trace, plain.trace, atol=1e-12)
    np.testing.assert_allclose(mixed.weights, plain.weights[order], atol=1e-12)


def test_mean_and_median_are_those_of_who_is_there():
    ratings = [[0, 1, NAN, NAN], [1, 1, NAN, 4], [5, NAN, NAN, 8]]

    assert fusion.fuse(ratings, "mean", lags=[0] * 3).trace.tolist()[:2] == [2, 1]
    median = fusion.fuse(ratings, "median", lags=[0] * 3).trace
    np.testing.assert_array_equal(median, [1, 1, NAN, 6])


def test_weights_are_the_published_formula():
    _, (a, b, c) = noisy(raters=3)
    mean = (a + b + c) / 3
    r = np.array([metrics.pearson(x, mean) for x in (a, b, c)])
    fused = fusion.fuse([a, b, c], "ewe", lags=[0] * 3)

    np.testing.assert_allclose(fused.weights, r / r.sum(), atol=1e-12)
    np.testing.assert_allclose(fused.trace, (r @ np.stack([a, b, c])) / r.sum(), atol=1e-12)
    pairs = {
        method: [
            (like(a, b) + like(a, c)) / 2,
            (like(a, b) + like(b, c)) / 2,
            (like(a, c) + like(b, c)) / 2,
        ]
        for method, like in (("ewe_pairwise", metrics.pearson), ("ewe_ccc", metrics.ccc))
    }
    pairs["ewe_loo"] = [
        metrics.pearson(a, (b + c) / 2),
        metrics.pearson(b, (a + c) / 2),
        metrics.pearson(c, (a + b) / 2),
    ]
    for method, expected in pairs.items():
        weights = fusion.fuse([a, b, c], method, lags=[0] * 3).weights
        np.testing.assert_allclose(weights, np.divide(expected, sum(expected)), atol=1e-12)


@pytest.mark.parametrize("method", [m for m in fusion.METHODS if m.startswith("ewe")])
def test_a_mirrored_and_a_constant_rater_get_no_weight(method):
    common, ratings = noisy()
    fused = fusion.fuse([*ratings, -ratings[0], np.ones(400)], method, lags=[0] * 7)

    assert fused.weights[5:].tolist() == [0, 0]
    assert fused.weights.sum() == pytest.approx(1)
    assert fused.flagged.tolist() == [False] * 5 + [True] * 2
    assert metrics.ccc(fused.trace, common) > 0.95


def test_a_rater_who_leaves_gives_the_weight_to_the_others():
    _, ratings = noisy(raters=3)
    ratings[2, 200:] = NAN
    fused = fusion.fuse(ratings, "mean", lags=[0] * 3)

    np.testing.assert_allclose(fused.trace[200:], ratings[:2, 200:].mean(axis=0), atol=1e-12)


def test_raters_whom_no_weight_suits_count_alike_and_it_is_said():
    line = np.arange(20.0)
    fused = fusion.fuse([line, -line], "ewe_ccc", lags=[0, 0])

    assert fused.is_fallback
    assert fused.weights.tolist() == [0.5, 0.5]
    assert np.abs(fused.trace).max() == 0
    assert all("mean of the others" in reason for reason in fused.reasons)


def test_lags_are_taken_out_before_anything_else():
    common, _ = noisy(times=500)
    late = np.stack([np.roll(common, lag) for lag in (10, 30, 20)])[:, 50:]
    given_lags = fusion.fuse(late, "mean", 10, lags=[1, 3, 2])
    estimated = fusion.fuse(late, "mean", 10, reaction_seconds=1.0)

    np.testing.assert_allclose(given_lags.trace[:420], common[50:470], atol=1e-12)
    np.testing.assert_array_equal(estimated.lags_seconds, [1, 3, 2])
    np.testing.assert_allclose(estimated.trace[:420], common[50:470], atol=1e-12)
    assert np.isnan(given_lags.trace[-1:]).all()


def test_a_rater_without_a_lag_is_moved_like_the_others_and_flagged():
    common, _ = noisy(times=500)
    late = np.stack([np.roll(common, 20), np.roll(common, 20), np.ones(500)])[:, 50:]
    fused = fusion.fuse(late, "mean", 10, lags=[2, 2, NAN])

    assert fused.lags_seconds.tolist() == [2, 2, 2]
    assert fused.flagged.tolist() == [False, False, True]


def test_the_band_holds_what_more_raters_would_say():
    held = []
    for seed in range(20):
        common, ratings = noisy(seed, raters=5)
        for method in ("mean", "median", "ewe"):
            fused = fusion.fuse(ratings, method, lags=at_rest(ratings))
            held.append(np.mean((fused.low <= common) & (common <= fused.high)))

    assert 0.87 <= np.mean(held) <= 0.93


def test_one_rater_alone_has_no_band():
    fused = fusion.fuse([[1.0, 2.0, NAN]], "ewe", lags=[0])

    np.testing.assert_array_equal(fused.trace, [1, 2, NAN])
    assert np.isnan(fused.low).all()
    assert fused.weights.tolist() == [1]


def test_sessions_come_first():
    ratings = np.stack([noisy(seed)[1] for seed in range(3)])
    fused = fusion.fuse(ratings, lags=at_rest(ratings))

    assert fused.trace.shape == fused.low.shape == (3, 400)
    assert fused.weights.shape == fused.lags_seconds.shape == fused.flagged.shape == (3, 5)
    assert [len(reasons) for reasons in fused.reasons] == [5, 5, 5]


def test_degenerate_ratings_have_documented_answers():
    nobody = fusion.fuse(np.full((2, 5), NAN), "ewe", lags=[0, 0])

    assert np.isnan(nobody.trace).all()
    assert nobody.is_fallback
    assert nobody.reasons == ("no values", "no values")
    for method in fusion.METHODS:
        assert np.isfinite(fusion.fuse([[1.0, 2.0], [3.0, 5.0]], method).trace).all()


def test_impossible_requests_are_told():
    with pytest.raises(CommandError, match="Choose one of mean, median, ewe"):
        fusion.fuse([[1.0, 2.0]], "average")
    with pytest.raises(CommandError, match="rate_hz is 0"):
        fusion.fuse([[1.0, 2.0]], rate_hz=0)
    with pytest.raises(InvalidArray, match="one number a rater"):
        fusion.fuse([[1.0, 2.0]], lags=[0, 0])


def test_on_known_raters_lags_flags_trace_and_band_are_right():
    rows = []
    for seed in range(1000, 1015):
        panel = fusion.simulate_raters(seed)
        good = ~panel.is_bad
        lags = fusion.estimate_lags(panel.followed, 25, reference=panel.target)
        apart = (fusion.estimate_lags(panel.ratings, 25) - panel.lags_seconds)[good]
        fused = fusion.fuse(panel.ratings, rate_hz=25, lags=lags)
        inside = (fused.low <= panel.truth) & (panel.truth <= fused.high)
        rows.append(
            {
                "relative": np.median(np.abs(apart - np.median(apart))),
                "absolute": np.median(np.abs(lags - panel.lags_seconds)[good]),
                "bad flagged": fused.flagged[panel.is_bad].mean(),
                "good flagged": fused.flagged[good].mean(),
                "ccc": metrics.ccc(fused.trace, panel.truth),
                "inside": inside[np.isfinite(fused.low)].mean(),
            }
        )
    found = {name: np.mean([row[name] for row in rows]) for name in rows[0]}

    assert found["relative"] <= 0.1
    assert found["absolute"] <= 0.15
    assert found["bad flagged"] >= 0.95
    assert found["good flagged"] <= 0.05
    assert found["ccc"] >= 0.85
    assert 0.85 <= found["inside"] <= 0.96


@pytest.mark.parametrize("method", fusion.METHODS)
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_whatever_was_rated_has_an_answer(method, data):
    shape = data.draw(st.tuples(st.integers(1, 5), st.integers(1, 60)))
    seed = data.draw(st.integers(0, 10**6))
    random = np.random.default_rng(seed)
    ratings = random.normal(size=shape).cumsum(axis=1) if seed % 2 else random.normal(size=shape)
    ratings = np.round(ratings, data.draw(st.integers(0, 3))) * 10.0 ** data.draw(
        st.integers(-6, 6)
    )
    ratings[random.random(shape) < data.draw(st.sampled_from([0, 0.1, 0.6]))] = NAN

    fused = fusion.fuse(ratings, method, 10, lags=at_rest(ratings))

    said = np.abs(ratings[np.isfinite(ratings)])
    told = np.abs(fused.trace[np.isfinite(fused.trace)])
    assert fused.weights.sum() == pytest.approx(1)
    assert (fused.weights >= 0).all()
    assert not np.isinf(fused.trace).any()
    assert told.max(initial=0) <= 5 * said.max(initial=0)
