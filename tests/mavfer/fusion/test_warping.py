import numpy as np
import pytest

from mavfer import fusion, metrics
from mavfer.fusion import warping
from mavfer.fusion.warping import barycentre, collect_plain, dba_of, warped
from mavfer.fusion.warping_kernels import collect_compiled

RATE_HZ = 10
NAN = float("nan")


def distance_by_definition(centre, trace, window):
    """Of the best path, by the textbook's recursion over the whole table."""
    table = np.full((len(centre) + 1, len(trace) + 1), np.inf)
    table[0, 0] = 0
    for i, one in enumerate(centre):
        for j, other in enumerate(trace):
            if abs(i - j) <= window:
                best = min(table[i, j], table[i, j + 1], table[i + 1, j])
                table[i + 1, j + 1] = best + (one - other) ** 2
    return table[-1, -1]


def cost_of_the_path(centre, trace, window):
    """What the collected values say the path cost: sum of squares about the centre."""
    total, count = collect_plain(centre, trace[None], window)
    squares, _ = collect_plain_squares(centre, trace, window)
    return float(np.sum(squares - 2 * centre * total[0] + count[0] * centre**2))


def collect_plain_squares(centre, trace, window):
    """Sums of squares on the same path, found by giving every value its index."""
    steps = warping._steps(centre, trace[None], window)[:, 0]
    squares, number = np.zeros(len(centre)), np.zeros(len(centre))
    i = j = len(centre) - 1
    while True:
        squares[i] += trace[j] ** 2
        number[i] += 1
        if i == j == 0:
            return squares, number
        step = steps[i, j - i + window]
        i, j = i - (step != 2), j - (step != 1)


@pytest.mark.parametrize("window", [1, 4, 29])
@pytest.mark.parametrize("seed", range(3))
def test_the_path_is_the_best_inside_the_window(window, seed):
    random = np.random.default_rng(seed)
    centre, trace = random.normal(size=(2, 30)).cumsum(axis=1)

    cost = cost_of_the_path(centre, trace, window)

    assert cost == pytest.approx(distance_by_definition(centre, trace, window))


@pytest.mark.parametrize("window", [1, 7, 100])
def test_compiled_and_plain_loops_agree(window):
    random = np.random.default_rng(window)
    traces = random.normal(size=(3, 80)).cumsum(axis=1)
    traces[0, 10:20] = traces[1, 60:] = NAN
    centre = np.nanmean(traces, axis=0)

    plain, compiled = (
        collect(centre, traces, window) for collect in (collect_plain, collect_compiled)
    )

    np.testing.assert_allclose(plain[0], compiled[0], rtol=1e-12)
    np.testing.assert_array_equal(plain[1], compiled[1])


def test_the_same_event_at_other_times_keeps_its_height():
    times = np.arange(100)
    traces = np.stack([np.exp(-(((times - at) / 6) ** 2)) for at in (42, 50, 58)])

    centre = barycentre(traces, RATE_HZ)

    assert traces.mean(axis=0).max() < 0.7
    assert centre.max() > 0.9


def test_nothing_is_warped_further_than_the_window():
    times = np.arange(200)
    traces = np.stack([np.exp(-(((times - at) / 6) ** 2)) for at in (60, 140)])

    moved = warped(traces, RATE_HZ)

    assert abs(np.nanargmax(moved[0]) - 60) <= 30
    assert abs(np.nanargmax(moved[1]) - 140) <= 30


def test_stretches_are_warped_by_themselves():
    random = np.random.default_rng(1)
    one, other = random.normal(size=(2, 3, 60)).cumsum(axis=2)
    joined = np.concatenate([one, np.full((3, 1), NAN), other], axis=1)

    centre = barycentre(joined, RATE_HZ)

    np.testing.assert_array_equal(centre[:60], barycentre(one, RATE_HZ))
    np.testing.assert_array_equal(centre[61:], barycentre(other, RATE_HZ))
    assert np.isnan(centre[60])


def test_without_numba_the_answer_is_the_same(monkeypatch):
    panel = fusion.simulate_raters(2, seconds=20, rate_hz=RATE_HZ)
    compiled = dba_of(panel.ratings, RATE_HZ)

    monkeypatch.setattr(warping, "find_spec", lambda name: None)
    plain = dba_of(panel.ratings, RATE_HZ)

    np.testing.assert_allclose(plain.trace, compiled.trace, rtol=1e-9)
    np.testing.assert_allclose(plain.half_band, compiled.half_band, rtol=1e-6)


def test_raters_of_one_truth_have_it_as_their_barycentre():
    random = np.random.default_rng(5)
    times = np.arange(400)
    truth = np.sin(times / 30)
    late = np.stack([np.sin((times - lag) / 30) for lag in (-8, -2, 3, 7)])

    centre = barycentre(late + random.normal(0, 0.02, late.shape), RATE_HZ)

    assert metrics.ccc(centre[10:-10], truth[10:-10]) > 0.99
