import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import cohen_kappa_score

from mavfer import agreement
from mavfer.errors import CommandError, InvalidArray
from mavfer.metrics import ccc

NAN = float("nan")
# Thirty patients, six raters each, five diagnoses: Fleiss 1971, table 1.
DIAGNOSES = """
    00060 03003 01401 00006 03030 20400 00402 20310 20040 00006
    10050 11040 03300 10050 02031 00501 30012 51000 02040 10203
    00006 01050 02013 20040 10041 05010 40002 02040 10500 00006
"""
# Ten subjects, fourteen raters, five categories: often shown, 0.210.
TEN_SUBJECTS = [
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
# Two psychiatrists on 200 people, three kinds of diagnosis: Cohen 1968, table 1.
COHEN_1968 = [[88, 14, 18], [10, 40, 10], [2, 6, 12]]
# Couples on a question of four ordered answers: Agresti 1990, as in R's vcd (SexualFun).
AGRESTI = [[7, 7, 2, 3], [2, 8, 3, 7], [1, 5, 4, 9], [2, 8, 9, 14]]


def as_traces(table):
    """Two raters whose cross table this is."""
    table = np.asarray(table)
    rows, columns = np.indices(table.shape)
    return np.repeat(rows.ravel(), table.ravel()), np.repeat(columns.ravel(), table.ravel())


def test_two_raters_and_two_categories_by_hand():
    a = [1] * 25 + [0] * 25
    b = [1] * 20 + [0] * 5 + [1] * 10 + [0] * 15

    assert agreement.cohen_kappa(a, b) == pytest.approx(0.4, abs=1e-12)


def test_two_raters_of_the_published_examples():
    couples = as_traces(AGRESTI)

    assert agreement.cohen_kappa(*as_traces(COHEN_1968)) == pytest.approx(0.492, abs=0.0005)
    assert agreement.cohen_kappa(*as_traces(COHEN_1968)) == pytest.approx(29 / 59, abs=1e-15)
    assert agreement.cohen_kappa(*couples) == pytest.approx(0.1293, abs=0.00005)
    assert agreement.cohen_kappa(*couples, "linear") == pytest.approx(0.2374, abs=0.00005)


@given(arrays(int, (2, 30), elements=st.integers(0, 6)))
def test_quadratic_weights_are_concordance(pair):
    categories = range(7)
    found = agreement.cohen_kappa(*pair, "quadratic", edges=[each + 0.5 for each in categories])

    assert found == pytest.approx(ccc(*pair), abs=1e-12, nan_ok=True)


@given(arrays(int, (2, 30), elements=st.integers(0, 4)))
def test_the_order_of_the_two_and_of_frames_is_free(pair):
    mixed = pair[::-1, np.random.default_rng(0).permutation(30)]

    for weights in (None, "linear", "quadratic"):
        found = agreement.cohen_kappa(*mixed, weights)
        assert found == pytest.approx(agreement.cohen_kappa(*pair, weights), abs=1e-12, nan_ok=True)


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
    diagnoses = [[int(count) for count in row] for row in DIAGNOSES.split()]

    assert agreement.fleiss_kappa(diagnoses) == pytest.approx(0.430, abs=0.0005)
    assert agreement.fleiss_kappa(TEN_SUBJECTS) == pytest.approx(0.210, abs=0.0005)
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
