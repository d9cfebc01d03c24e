import warnings
from dataclasses import astuple
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import f

from mavfer import agreement
from mavfer.errors import CommandError, InvalidArray

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import pandas as pd
    import pingouin

NAN = float("nan")
# Six targets, four judges: Shrout and Fleiss 1979, table 2.
SHROUT_FLEISS = np.array(
    [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
).T


def noisy(seed, raters=5, times=60):
    random = np.random.default_rng(seed)
    common = random.normal(0, 1.3, times)
    return common + random.normal(size=(raters, times)) + random.normal(size=(raters, 1))


def of_pingouin(ratings):
    rows = [(t, k, v) for k, trace in enumerate(ratings) for t, v in enumerate(trace)]
    table = pd.DataFrame(rows, columns=["time", "rater", "value"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = pingouin.intraclass_corr(table, "time", "rater", "value", nan_policy="omit")
    return found.set_index("Type")


def of_fractions(ratings):
    """The six values in whole fractions."""
    table = [[Fraction(value) for value in trace] for trace in ratings]
    k, n = len(table), len(table[0])
    mean = sum(map(sum, table)) / (k * n)
    of_times = [sum(column) / k - mean for column in zip(*table, strict=True)]
    of_raters = [sum(trace) / n - mean for trace in table]
    total = sum((value - mean) ** 2 for trace in table for value in trace)
    times, raters = k * sum(x * x for x in of_times), n * sum(x * x for x in of_raters)
    between, judges = times / (n - 1), raters / (k - 1)
    within, error = (total - times) / (n * (k - 1)), (total - times - raters) / ((n - 1) * (k - 1))
    values = [
        (between - within) / (between + (k - 1) * within),
        (between - error) / (between + (k - 1) * error + k * (judges - error) / n),
        (between - error) / (between + (k - 1) * error),
        (between - within) / between,
        (between - error) / (between + (judges - error) / n),
        (between - error) / between,
    ]
    return dict(zip(agreement.icc(ratings), map(float, values), strict=True))


def test_the_worked_example_of_shrout_and_fleiss():
    found = agreement.icc(SHROUT_FLEISS)

    # Their table 4 and the intervals as R's psych prints them.
    printed = {
        "ICC(1,1)": (0.17, -0.133, 0.72),
        "ICC(A,1)": (0.29, 0.019, 0.76),
        "ICC(C,1)": (0.71, 0.342, 0.95),
        "ICC(1,k)": (0.44, -0.884, 0.91),
        "ICC(A,k)": (0.62, 0.071, 0.93),
        "ICC(C,k)": (0.91, 0.676, 0.99),
    }
    for form, (value, low, high) in printed.items():
        assert found[form].value == pytest.approx(value, abs=0.005)
        assert found[form].low == pytest.approx(low, abs=0.0005)
        assert found[form].high == pytest.approx(high, abs=0.005)


def test_values_are_those_of_whole_fractions():
    far = np.round(1024 * noisy(2)) / 1024 + 2.0**20

    for ratings in (SHROUT_FLEISS, far):
        found = {form: each.value for form, each in agreement.icc(ratings).items()}
        assert found == pytest.approx(of_fractions(ratings), abs=1e-12)


def test_intervals_of_shape_follow_from_quantiles_of_f():
    ratings = noisy(4)
    found, n, k = agreement.icc(ratings), 60, 5
    alpha = agreement.cronbach_alpha(ratings)

    for single, mean, df2 in (("ICC(1,1)", "ICC(1,k)", 240), ("ICC(C,1)", "ICC(C,k)", 236)):
        low = found[single].f / f.ppf(0.975, n - 1, df2)
        high = found[single].f * f.ppf(0.975, df2, n - 1)
        assert found[single].low == pytest.approx((low - 1) / (low + k - 1), abs=1e-12)
        assert found[single].high == pytest.approx((high - 1) / (high + k - 1), abs=1e-12)
        assert found[mean].low == pytest.approx(1 - 1 / low, abs=1e-12)
        assert found[mean].high == pytest.approx(1 - 1 / high, abs=1e-12)
    assert astuple(alpha) == astuple(found["ICC(C,k)"])


@pytest.mark.parametrize("gaps", [0, 12])
@pytest.mark.parametrize("seed", range(4))
def test_all_six_forms_are_those_of_pingouin(seed, gaps):
    ratings = noisy(seed, raters=3 + seed)
    ratings.flat[np.random.default_rng(seed).choice(ratings.size, gaps, replace=False)] = NAN
    expected = of_pingouin(ratings)

    for form, found in agreement.icc(ratings).items():
        row = expected.loc[form]
        assert found.value == pytest.approx(row["ICC"], abs=1e-9)
        assert found.f == pytest.approx(row["F"], rel=1e-9)
        assert (found.df1, found.df2) == (row["df1"], row["df2"])
        assert found.p == pytest.approx(row["pval"], rel=1e-6)
        assert [found.low, found.high] == pytest.approx(list(row["CI95"]), abs=0.00501)


def test_times_at_which_a_rater_is_missing_are_left_out():
    ratings = noisy(1)
    gappy = ratings.copy()
    gappy[2, 7] = gappy[0, 30] = NAN

    found, complete = agreement.icc(gappy), agreement.icc(np.delete(ratings, [7, 30], axis=1))
    for form in found:
        assert astuple(found[form]) == pytest.approx(astuple(complete[form]), rel=1e-12)


@given(st.integers(0, 1000))
def test_the_order_of_frames_and_of_raters_is_free(seed):
    ratings = noisy(seed, raters=4, times=20)
    random = np.random.default_rng(seed)
    mixed = ratings[random.permutation(4)][:, random.permutation(20)]

    for form, estimate in agreement.icc(ratings).items():
        assert agreement.icc(mixed)[form].value == pytest.approx(estimate.value, abs=1e-12)


def test_a_constant_bias_lowers_absolute_agreement_only():
    ratings = noisy(3)
    ratings -= ratings.mean(axis=1, keepdims=True)
    biased = ratings + np.arange(5)[:, None]
    plain, moved = agreement.icc(ratings), agreement.icc(biased)

    for form in ("ICC(C,1)", "ICC(C,k)"):
        assert astuple(moved[form]) == pytest.approx(astuple(plain[form]), rel=1e-12)
    assert moved["ICC(A,1)"].value < plain["ICC(A,1)"].value


def test_sessions_give_one_value_each():
    sessions = np.stack([noisy(1), noisy(2)])
    found = agreement.icc(sessions)["ICC(A,k)"]

    assert found.value.shape == found.low.shape == (2,)
    assert found.value[1] == agreement.icc(sessions[1])["ICC(A,k)"].value


def test_degenerate_ratings_have_documented_answers():
    line = np.arange(5.0)
    for nothing in (line[None], np.ones((3, 4)), noisy(0)[:, :1], np.full((2, 5), NAN)):
        assert np.isnan(agreement.icc(nothing)["ICC(A,1)"].value)
        assert np.isnan(agreement.cronbach_alpha(nothing).value)
    same = agreement.icc([line, line])["ICC(A,1)"]
    assert (same.value, same.low, same.high, same.p) == (1, 1, 1, 0)
    mirrored = agreement.icc([line, -line])["ICC(C,1)"]
    assert mirrored.value == pytest.approx(-1)
    two = agreement.icc([[0, 1], [0, 2]])["ICC(C,1)"]
    assert np.isfinite([two.value, two.low, two.high]).all()
    constants = agreement.icc([np.full(7, 0.1), np.full(7, 0.3), np.full(7, 0.7)])
    assert constants["ICC(A,1)"].value == 0
    assert np.isnan(constants["ICC(C,1)"].value)
    assert np.isnan(agreement.cronbach_alpha(np.full((2, 7), [[0.1], [0.3]])).value)


def test_ratings_of_wrong_shape_are_refused():
    with pytest.raises(InvalidArray, match="Give every rater the same length"):
        agreement.icc([[1, 2], [1, 2, 3]])
    with pytest.raises(InvalidArray, match=r"shape \(3,\)"):
        agreement.icc([1, 2, 3])
    with pytest.raises(InvalidArray, match="infinite value"):
        agreement.icc([[1, np.inf], [1, 2]])


def test_cronbachs_alpha_is_that_of_pingouin():
    ratings = noisy(5)
    value, interval = pingouin.cronbach_alpha(pd.DataFrame(ratings.T))
    found = agreement.cronbach_alpha(ratings)

    assert found.value == pytest.approx(value, abs=1e-12)
    assert [found.low, found.high] == pytest.approx(list(interval), abs=0.000501)


def test_cronbachs_alpha_with_gaps_is_that_of_pingouin():
    ratings = noisy(6)
    ratings[1, 3] = ratings[2, 9] = ratings[0, 50] = NAN
    value, interval = pingouin.cronbach_alpha(pd.DataFrame(ratings.T), nan_policy="pairwise")
    pairwise = agreement.cronbach_alpha(ratings, "pairwise")
    listwise, _ = pingouin.cronbach_alpha(pd.DataFrame(ratings.T), nan_policy="listwise")

    assert pairwise.value == pytest.approx(value, abs=1e-12)
    assert [pairwise.low, pairwise.high] == pytest.approx(list(interval), abs=0.000501)
    assert agreement.cronbach_alpha(ratings).value == pytest.approx(listwise, abs=1e-12)
    ratings[3] = NAN
    assert np.isnan(agreement.cronbach_alpha(ratings, "pairwise").value)
    with pytest.raises(CommandError, match="Choose listwise or pairwise"):
        agreement.cronbach_alpha(ratings, "none")


def test_covariances_keep_their_digits_where_two_have_little_in_common():
    wave = np.sin(np.arange(40.0))
    first, second = wave.copy(), 1e7 + 0.5 * wave
    first[20:] = NAN
    second[:15] -= 2e7  # far from its own mean at the times in common
    second[15:18] = NAN
    found = agreement.cronbach_alpha([first, second, wave], "pairwise").value
    expected, _ = pingouin.cronbach_alpha(pd.DataFrame([first, second, wave]).T)

    assert found == pytest.approx(expected, abs=1e-9)


def test_a_negative_alpha_is_reported_negative():
    line = np.arange(9.0)

    assert agreement.cronbach_alpha([line, -line + np.sin(line)]).value < 0


def test_a_rater_who_repeats_is_compared_in_value_and_shape():
    take = np.sin(np.arange(50) / 5)

    assert agreement.intra_rater(take, take).value == 1
    assert agreement.intra_rater(take, take + 1).value < 0.6
    assert agreement.intra_rater([take, take], [take, -take]).value.shape == (2,)
    with pytest.raises(InvalidArray, match="both must cover the same"):
        agreement.intra_rater(take, take[1:])


def test_raters_needed_follow_spearman_and_brown():
    assert agreement.raters_needed(0.5) == 4
    assert agreement.raters_needed(0.8) == 1
    assert agreement.raters_needed(0.5, target=0.9) == 9
    assert agreement.raters_needed(0) == np.inf
    assert np.isnan(agreement.raters_needed(NAN))
    with pytest.raises(CommandError, match="between 0 and 1"):
        agreement.raters_needed(0.5, target=1)


def test_as_many_raters_as_needed_reach_the_target():
    table = agreement.icc(SHROUT_FLEISS)
    needed = agreement.raters_needed(table["ICC(A,1)"].value)
    single = table["ICC(A,1)"].value

    assert needed * single / (1 + (needed - 1) * single) >= 0.8
    assert (needed - 1) * single / (1 + (needed - 2) * single) < 0.8
