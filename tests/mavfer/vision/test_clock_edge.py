import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mavfer.vision.clock_edge import MAX_DRIFT_PPM, fit_lower_edge

clouds = st.lists(
    st.tuples(st.integers(0, 10**4), st.integers(0, 10**4)), min_size=1, max_size=40
).map(lambda points: np.array(sorted(points), dtype=float).T * [[1e6], [1e3]])


def height_below(edge, x, piece):
    return edge.heights_at(x) + edge.offsets_ns[piece]


@given(clouds, st.sampled_from([1, 2, 4]))
def test_edge_is_below_all_delays_and_touches_them(cloud, segments):
    x, y = cloud
    edge = fit_lower_edge(x, y, np.zeros(len(x), np.int64), segments)
    above = y - height_below(edge, x, np.zeros(len(x), np.int64))

    assert above.min() == pytest.approx(0, abs=2)


@given(clouds)
def test_no_other_line_below_the_delays_comes_nearer(cloud):
    x, y = cloud
    edge = fit_lower_edge(x, y, np.zeros(len(x), np.int64), 1)
    ours = (y - edge.heights_at(x)).sum()
    slopes = np.linspace(-MAX_DRIFT_PPM, MAX_DRIFT_PPM, 41) * 1e-6
    others = [(rest := y - slope * x).sum() - len(x) * rest.min() for slope in slopes]

    assert ours <= min(others) + 10


def test_pieces_share_the_drift_and_have_their_offsets():
    rng = np.random.default_rng(1)
    x = np.arange(3000) * 33e6
    piece = np.repeat(np.arange(3), 1000)
    y = 40e-6 * x + np.array([0, 5e6, -3e6])[piece] + rng.exponential(2e6, 3000)
    edge = fit_lower_edge(x, y, piece, 1)

    np.testing.assert_allclose(edge.offsets_ns, [0, 5e6, -3e6], atol=0.05e6)
    assert np.diff(edge.heights_ns)[0] / np.diff(edge.knots_ns)[0] == pytest.approx(40e-6, abs=1e-6)


def test_drift_and_its_changes_stay_within_what_crystals_do():
    x = np.arange(600) * 1e9
    y = np.where(x < 300e9, 0.0, 1e-3 * (x - 300e9))
    edge = fit_lower_edge(x, y, np.zeros(600, np.int64), 16)
    drift_ppm = np.diff(edge.heights_ns) / np.diff(edge.knots_ns) * 1e6

    assert np.abs(drift_ppm).max() <= MAX_DRIFT_PPM + 1e-6
    assert np.abs(np.diff(drift_ppm)).max() == pytest.approx(5, abs=1e-3)


def test_edge_goes_on_straight_beyond_the_take():
    x, y = np.array([0.0, 1e9, 2e9]), np.array([0.0, 1e5, 2e5])
    edge = fit_lower_edge(x, y, np.zeros(3, np.int64), 1)

    np.testing.assert_allclose(edge.heights_at(np.array([-1e9, 5e9])), [-1e5, 5e5], atol=1)
