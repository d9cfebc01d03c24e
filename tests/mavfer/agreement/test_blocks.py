import numpy as np
import pytest

from mavfer import agreement, metrics
from mavfer.agreement.blocks import drawn_mean, drawn_pair, session_intervals

UPPER = np.triu_indices(4, 1)


def slow(frames, raters=4, seed=0, noise=0.5):
    """Raters of one slow truth, each with slow noise, offset and gaps."""
    random = np.random.default_rng(seed)
    steps = random.normal(size=(raters + 1, frames + 40))
    smooth = np.stack([np.convolve(row, np.ones(41) / 6.4, "valid") for row in steps])
    traces = smooth[0] + noise * smooth[1:] + random.normal(0, 0.3, (raters, 1))
    traces[0, -frames // 10 :] = np.nan
    return traces


def of_pairs(measure):
    return lambda drawn: agreement.pairwise(drawn[0], measure)[UPPER].mean()


@pytest.mark.parametrize(
    ("name", "statistic"),
    [
        ("ccc", of_pairs("ccc")),
        ("pearson", of_pairs("pearson")),
        ("rmse", of_pairs("rmse")),
        ("sda", of_pairs("sda")),
        ("ICC(1,1)", lambda drawn: agreement.icc(drawn[0])["ICC(1,1)"].value),
        ("ICC(A,1)", lambda drawn: agreement.icc(drawn[0])["ICC(A,1)"].value),
        ("ICC(C,k)", lambda drawn: agreement.icc(drawn[0])["ICC(C,k)"].value),
        ("cronbach", lambda drawn: agreement.cronbach_alpha(drawn[0]).value),
        ("krippendorff", lambda drawn: agreement.krippendorff_alpha(drawn[0])),
    ],
)
def test_intervals_are_those_of_blocks_drawn_one_by_one(name, statistic):
    session = slow(3000)
    slowly = agreement.bootstrap([session], statistic, unit="block", resamples=300)
    low, high = session_intervals(session, resamples=4000)[name]
    width = slowly.high - slowly.low

    assert low == pytest.approx(slowly.low, abs=0.2 * width)
    assert high == pytest.approx(slowly.high, abs=0.2 * width)


def test_identical_raters_agree_in_every_draw():
    session = np.tile(slow(500)[1], (3, 1))
    found = session_intervals(session)

    for name in ("ccc", "pearson", "spearman", "sda", "ICC(A,1)", "ICC(C,k)", "krippendorff"):
        assert found[name] == pytest.approx((1, 1), abs=1e-9)
    assert found["rmse"] == pytest.approx((0, 0), abs=1e-6)


def test_a_common_shift_and_the_order_of_raters_change_nothing():
    session = slow(800)
    plain = session_intervals(session)

    for other in (session + 1000, session[::-1]):
        for name, interval in session_intervals(other).items():
            assert interval == pytest.approx(plain[name], abs=1e-6)


def test_nothing_is_said_where_nothing_is_known():
    nothing = np.full((3, 50), np.nan)
    constant = np.ones((3, 50))

    assert np.isnan([*session_intervals(nothing).values()]).all()
    assert np.isnan(session_intervals(constant)["pearson"]).all()
    assert np.isnan(session_intervals(slow(60)[:1])["ICC(A,1)"]).all()
    assert np.isnan(session_intervals(slow(60)[:1])["ccc"]).all()
    assert np.isnan(drawn_mean(np.full(3, np.nan)).value)


def test_the_mean_over_sessions_is_drawn_as_bootstrap_draws_it():
    values = np.random.default_rng(1).normal(0.6, 0.2, 30)
    slowly = agreement.bootstrap([np.array([[v]]) for v in values], lambda d: float(np.mean(d)))
    found = drawn_mean(np.append(values, np.nan))

    assert found.value == pytest.approx(values.mean())
    assert (found.low, found.high) == pytest.approx((slowly.low, slowly.high), abs=0.01)
    assert drawn_mean(np.array([0.5])).value == 0.5
    assert np.isnan(drawn_mean(np.array([0.5])).low)


def test_of_two_traces_sessions_are_drawn_and_of_one_session_blocks():
    sessions = [slow(300, seed=seed, noise=0.2 + 0.1 * seed)[:2] for seed in range(8)]
    joined = agreement.bootstrap(sessions, lambda d: metrics.ccc(*np.concatenate(d, axis=1)))
    single = agreement.bootstrap(sessions[:1], lambda d: metrics.ccc(*d[0]), unit="block")
    wide, narrow = drawn_pair(sessions), drawn_pair(sessions[:1])

    assert wide["ccc"] == pytest.approx((joined.low, joined.high), abs=0.05)
    assert narrow["ccc"] == pytest.approx((single.low, single.high), abs=0.15)
    assert wide["bias"][0] < wide["bias"][1]
    assert np.isnan(drawn_pair([])["ICC(A,1)"]).all()


def test_two_takes_have_the_interval_of_their_intraclass_correlation():
    sessions = [slow(300, seed=seed)[:2] for seed in range(6)]
    slowly = agreement.bootstrap(
        sessions,
        lambda drawn: agreement.intra_rater(*np.concatenate(drawn, axis=1)).value,
        resamples=500,
    )

    assert drawn_pair(sessions)["ICC(A,1)"] == pytest.approx((slowly.low, slowly.high), abs=0.06)
