import numpy as np
import pytest

from mavfer.vision.clock_bound import bound_bend_ns, bound_edge, is_bent, largest_lift_ns


def make_residuals(frames=6000, seed=1):
    x = np.arange(frames) * 33e6
    return x, np.random.default_rng(seed).exponential(2e6, frames)


def test_more_frames_make_the_edge_more_certain():
    bounds = []
    for frames in (100, 1000, 10_000):
        x, above = make_residuals(frames)
        bounds.append(np.median(bound_edge(x, above, np.zeros(frames, np.int64), np.ptp(x))))

    assert bounds[0] > 5 * bounds[1] > 25 * bounds[2]


def test_ends_and_short_pieces_are_less_certain():
    x, above = make_residuals()
    piece = np.repeat([0, 1], [5960, 40])
    bound = bound_edge(x, above, piece, np.ptp(x) / 2)

    assert bound[0] > 1.5 * bound[3000]
    assert bound[-1] > 20 * bound[3000]


def test_a_piece_of_one_frame_may_be_as_late_as_the_latest():
    x, above = make_residuals()
    piece = np.repeat([0, 1], [5999, 1])

    assert bound_edge(x, above, piece, np.ptp(x))[-1] == above[:-1].max()


@pytest.mark.parametrize("shape", [1, 2, 3])
def test_luck_is_not_taken_for_a_bend(shape):
    for seed in range(10):
        rng = np.random.default_rng(seed)

        assert not is_bent(rng.gamma(shape, 2e6 / shape, 6000))


def test_a_bend_is_seen_and_bounded():
    x, above = make_residuals()
    bend = 1e6 * np.sin(np.linspace(0, np.pi, len(x)))

    assert is_bent(above + bend)
    assert bound_bend_ns(x, above + bend) >= 1e6
    assert bound_bend_ns(x, above) < 0.1e6


def test_lift_is_the_earliest_arrival_of_the_worst_window():
    above = np.tile([5.0, 9.0, 7.0, 5.0, 6.0], 10)
    above[20:25] += 2

    assert largest_lift_ns(above) == 7


def test_the_first_frames_may_all_be_late():
    for frames in (1, 2, 16):
        x, above = make_residuals(frames)
        bound = bound_edge(x, above, np.zeros(frames, np.int64), 1e9)

        np.testing.assert_array_equal(bound, 100e6)

    x, above = make_residuals(60)
    assert bound_edge(x, above, np.zeros(60, np.int64), 1e12).max() < 10e6
