import numpy as np

from mavfer.fusion import flag_raters


def reasons_of(traces, lags=None, limit=6.0):
    return flag_raters(np.array(traces), np.zeros(len(traces)) if lags is None else lags, limit)


def good(raters=4, seed=0):
    random = np.random.default_rng(seed)
    common = np.cumsum(random.normal(0, 0.1, 500))
    return list(common + random.normal(0, 0.2, (raters, 500)))


def test_good_raters_are_not_doubted():
    for seed in range(20):
        assert reasons_of(good(seed=seed)) == ("",) * 4


def test_every_reason_is_told():
    traces = good()
    still = np.where(np.arange(500) < 480, 0.5, traces[0])
    stranger = np.random.default_rng(9).normal(size=500)
    bad = [-traces[0], still, np.full(500, np.nan), stranger]
    found = reasons_of([*traces, *bad])

    assert found[:4] == ("",) * 4
    assert found[4].startswith("CCC -")
    assert found[5] == "constant for 96% of the time"
    assert found[6] == "no values"
    assert "is usual" in found[7] or found[7].startswith("CCC -")


def test_a_lag_at_the_limit_or_unknown_is_doubted():
    found = reasons_of(good(), lags=np.array([0, 1.0, 6.0, np.nan]))

    assert found == ("", "", "lag 6.0 s at the limit", "no lag found: not like the others at any")


def test_one_mirrored_rater_of_three_does_not_discredit_the_good_ones():
    one, two, *_ = good()

    assert [bool(reason) for reason in reasons_of([one, -two, two])] == [False, True, False]


def test_of_two_who_contradict_each_other_both_are_doubted():
    one, two, *_ = good()

    assert all(reasons_of([one, -two]))


def test_a_rater_alone_is_not_compared():
    assert reasons_of(good(1)) == ("",)
