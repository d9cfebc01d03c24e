import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from mavfer import agreement
from mavfer.errors import CommandError, InvalidArray

NAN = float("nan")
# Ten subjects, fourteen raters, five categories: Fleiss' kappa 0.210 (0.378 observed).
FLEISS = [
    [0, 0, 0, 0, 14],
    [0, 2, 6, 4, 2],
    [0, 0, 3, 5, 6],
    [0, 3, 9, 2, 0],
    [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0],
    [3, 2, 6, 3, 0],
    [2, 5, 3, 2, 2],
    [6, 5, 2, 1, 0],
    [0, 2, 2, 3, 7],
]


def test_two_raters_and_two_categories_by_hand():
    a = [1] * 25 + [0] * 25
    b = [1] * 20 + [0] * 5 + [1] * 10 + [0] * 15

    assert agreement.cohen_kappa(a, b) == pytest.approx(0.4, abs=1e-12)


@pytest.mark.parametrize("weights", [None, "linear", "quadratic"])
def test_weights_are_those_of_scikit_learn(weights):
    random = np.random.default_rng(0)
    a = random.integers(0, 5, 200)
    b = np.clip(a + random.integers(-1, 2, 200), 0, 4)
    expected = cohen_kappa_score(a, b, weights=weights)

    assert agreement.cohen_kappa(a, b, weights) == pytest.approx(expected, abs=1e-12)


def test_edges_cut_values_into_categories():
    a, b = [-0.9, -0.1, 0.4, 0.9, NAN], [-0.8, 0.2, 0.3, 0.2, 0.1]
    binned = agreement.cohen_kappa([0, 1, 2, 2], [0, 1, 2, 1], "linear")

    assert agreement.cohen_kappa(a, b, "linear", edges=[-0.5, 0.3]) == pytest.approx(binned)


def test_many_raters_of_the_published_example():
    assert agreement.fleiss_kappa(FLEISS) == pytest.approx(0.2099307, abs=1e-6)
    assert agreement.fleiss_kappa([[3, 0], [0, 3]]) == 1


def test_degenerate_and_wrong_input_is_answered():
    assert np.isnan(agreement.cohen_kappa([1, 1], [1, 1]))
    assert np.isnan(agreement.cohen_kappa([NAN], [1]))
    assert np.isnan(agreement.fleiss_kappa([[3, 0], [3, 0]]))
    with pytest.raises(CommandError, match="Choose None, linear or quadratic"):
        agreement.cohen_kappa([1], [1], "cubic")
    with pytest.raises(CommandError, match="ascending cut points"):
        agreement.cohen_kappa([1, 2], [1, 2], edges=[2, 1])
    with pytest.raises(InvalidArray, match="one length"):
        agreement.cohen_kappa([1, 2], [1])
    with pytest.raises(InvalidArray, match="give \\(things, categories\\)"):
        agreement.fleiss_kappa([1, 2])
    with pytest.raises(InvalidArray, match="whole numbers from 0"):
        agreement.fleiss_kappa([[1, 0.5]])
    with pytest.raises(InvalidArray, match="rows hold 2 to 3 raters"):
        agreement.fleiss_kappa([[1, 1], [2, 1]])
