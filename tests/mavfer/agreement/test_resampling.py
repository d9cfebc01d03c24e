import numpy as np
import pytest
from scipy.signal import lfilter
from scipy.stats import t

from mavfer import agreement
from mavfer.agreement.resampling import block_length
from mavfer.errors import CommandError, InvalidArray


def mean_of(sessions):
    return float(np.nanmean(np.concatenate([session.ravel() for session in sessions])))


def slow(seed, frames=3000, follows=0.99):
    noise = np.random.default_rng(seed).normal(size=(1, frames + 500))
    return lfilter([np.sqrt(1 - follows**2)], [1, -follows], noise)[:, 500:]


def test_sessions_are_drawn_whole():
    values = np.random.default_rng(0).normal(size=40)
    found = agreement.bootstrap([[[value]] for value in values], mean_of)
    expected = t.ppf(0.975, 39) * values.std(ddof=1) / np.sqrt(40)

    assert found.value == pytest.approx(values.mean())
    assert (found.high - found.low) / 2 == pytest.approx(expected, rel=0.08)


def test_the_interval_of_a_few_sessions_holds_the_truth():
    held = 0
    for seed in range(300):
        values = np.random.default_rng(seed).normal(size=(8, 1, 1))
        found = agreement.bootstrap(list(values), mean_of, resamples=200, seed=seed)
        held += found.low <= 0 <= found.high

    assert held >= 276  # of 300, 95 % asked for: it is 284, and 265 with plain percentiles


def test_the_same_seed_draws_the_same():
    sessions = [slow(seed, 200) for seed in range(4)]
    draw = [
        agreement.bootstrap(sessions, mean_of, resamples=50, seed=seed, unit="block")
        for seed in (1, 1, 2)
    ]

    assert draw[0] == draw[1]
    assert draw[0] != draw[2]


def test_the_interval_of_blocks_holds_the_truth_where_single_frames_do_not():
    held = {"blocks": 0, "frames": 0}
    for seed in range(60):
        for name, length in (("blocks", None), ("frames", 1)):
            found = agreement.bootstrap(
                [slow(seed)], mean_of, unit="block", resamples=200, block_frames=length
            )
            held[name] += found.low <= 0 <= found.high

    assert held["blocks"] >= 48  # of 60, 95 % asked for; short of it as a block bootstrap is
    assert held["frames"] <= 25


def test_a_slower_trace_is_drawn_in_longer_blocks():
    fast, slower = block_length(slow(0, follows=0.5)), block_length(slow(0, follows=0.99))

    assert 1 <= fast < slower <= 1000
    assert block_length(np.ones((2, 5))) == 1
    assert block_length(np.full((2, 5), np.nan)) == 1


def test_one_session_and_draws_without_an_answer_have_no_interval():
    alone = agreement.bootstrap([[[1.0, 2.0]]], mean_of)
    mute = agreement.bootstrap([[[1.0]], [[2.0]]], lambda _: np.nan, resamples=5)
    still = agreement.bootstrap([[[1.0, 2.0]]] * 3, mean_of, unit="block", block_frames=2)

    assert alone.value == still.value == 1.5
    for found in (alone, mute, still):
        assert np.isnan([found.low, found.high]).all()


def test_impossible_requests_are_told():
    with pytest.raises(CommandError, match="unit is session or block"):
        agreement.bootstrap([[[1.0]]], mean_of, unit="frame")
    with pytest.raises(CommandError, match="resamples at least 1"):
        agreement.bootstrap([[[1.0]]], mean_of, resamples=0)
    with pytest.raises(InvalidArray, match="no session to draw from"):
        agreement.bootstrap([], mean_of)
    with pytest.raises(InvalidArray, match="give a list of"):
        agreement.bootstrap([np.ones((2, 3, 4))], mean_of)
