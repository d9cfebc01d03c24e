import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mavfer.release.summaries import summarize_column, summarize_values


def test_numbers_are_summarized_and_gaps_counted():
    found = summarize_values(np.array([1.0, 2, 3, 4, np.nan]))

    assert (found.count, found.missing) == (4, 1)
    assert (found.lowest, found.quartiles, found.highest) == (1, (1.75, 2.5, 3.25), 4)
    assert (found.mean, found.sd) == (2.5, pytest.approx(np.sqrt(1.25)))


def test_no_numbers_at_all_are_told_as_unknown():
    found = summarize_values(np.full(3, np.nan))

    assert (found.count, found.missing) == (0, 3)
    assert np.isnan([found.mean, found.sd, found.lowest, *found.quartiles, found.highest]).all()


@given(st.lists(st.floats(-1e6, 1e6), min_size=1))
def test_quartiles_lie_in_order_between_the_ends(values):
    found = summarize_values(np.array(values))

    assert found.lowest <= found.quartiles[0] <= found.quartiles[1]
    assert found.quartiles[1] <= found.quartiles[2] <= found.highest


def test_a_column_of_numbers_may_have_empty_cells():
    found = summarize_column("age", ["31", None, "29", ""])

    assert found.values is not None
    assert (found.values.mean, found.missing, found.categories) == (30, 2, {})


def test_a_column_of_few_words_is_counted():
    found = summarize_column("gender", ["f", "m", "f", None])

    assert found.values is None
    assert (found.categories, found.missing) == ({"f": 2, "m": 1}, 1)


@pytest.mark.parametrize(
    "cells", [["Ann", "Ben", "Cid"], [f"word {n // 2}" for n in range(40)], ["nan", "1"]]
)
def test_words_that_differ_from_subject_to_subject_are_not_repeated(cells):
    found = summarize_column("remark", cells)

    assert found.values is None
    assert found.categories == {}
