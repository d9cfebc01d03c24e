import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from mavfer.vision.fitting_kernels import fit_rigid, least_squares
from mavfer.vision.geometry import rotation_from_vector

VECTORS = arrays(np.float64, 3, elements=st.floats(-3, 3))


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(8, 68), st.sampled_from([1, 1e-3, 1e-6]))
def test_weights_are_those_of_numpy_however_alike_the_terms(seed, count, unlike):
    rng = np.random.default_rng(seed)
    terms = rng.normal(size=(6, count))
    terms[5] = terms[4] + unlike * terms[5]
    values = 700 + 20 * rng.normal(size=count)

    weights = least_squares(terms.copy(), values)

    expected = np.linalg.lstsq(terms.T, values)[0]
    # The rounding of weights as large as one over `unlike` is all that parts the two.
    atol = 1e-9 + 1e-11 / unlike
    np.testing.assert_allclose(weights @ terms, expected @ terms, rtol=0, atol=atol)


@pytest.mark.parametrize("rank", [0, 1, 2, 4])
def test_weights_are_the_smallest_where_terms_cannot_be_told_apart(rank):
    rng = np.random.default_rng(rank)
    terms = rng.normal(size=(6, rank)) @ rng.normal(size=(rank, 30))
    values = rng.normal(size=30)

    weights = least_squares(terms.copy(), values)

    np.testing.assert_allclose(weights, np.linalg.pinv(terms.T) @ values, atol=1e-9)


@settings(deadline=None)
@given(VECTORS, VECTORS, st.floats(0.1, 10))
def test_a_motion_is_found_again(turn, shift, scale):
    source = np.random.default_rng(0).normal(size=(3, 20))
    rotation = rotation_from_vector(turn)

    fitted = fit_rigid(source, scale * rotation @ source + shift[:, None])

    for found, true in zip(fitted, (rotation, scale, shift), strict=True):
        np.testing.assert_allclose(found, true, atol=1e-9)


@pytest.mark.parametrize(
    "flat", [(1, 1, -1), (1, 1, 0), (1, 0, 0), (0, 0, 0)], ids=["mirror", "plane", "line", "point"]
)
def test_points_are_never_mirrored_and_degenerate_ones_have_a_rotation(flat):
    source = np.random.default_rng(1).normal(size=(3, 20))

    rotation, scale, shift = fit_rigid(source, source * np.array(flat)[:, None])

    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(rotation) == pytest.approx(1)
    assert np.isfinite([scale, *shift]).all()
