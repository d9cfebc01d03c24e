"""The formulas from counts to kelvin, against arithmetic done by hand and their own inverses."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mavfer.errors import DataError
from mavfer.vision.radiometry import Linear, Planck, PlanckR1R2, Surface, describe, formula_of

AX5 = Planck(planck_r=380_747.0, planck_b=1428.0, planck_f=1.0, planck_o=-88.0)
FILE = PlanckR1R2(21106.77, 0.012545258, 1501.0, 1.0, -7340.0)
FORMULAS = [
    Linear(0.04),
    Linear(0.025, 95.0),
    AX5,
    FILE,
    Surface(AX5, 0.98, 293.15),
    Surface(FILE, 0.9, 300.0),
]
plausible_kelvin = st.floats(min_value=230, max_value=420)


def test_linear_counts_are_kelvin_times_a_step():
    kelvin = Linear(0.04).kelvin([0, 7500, 7679])

    assert kelvin.tolist() == [0, 300, pytest.approx(307.16)]


def test_planck_is_the_formula_of_its_name():
    kelvin = AX5.kelvin(3500)

    assert kelvin == pytest.approx(1428 / math.log(380_747 / (3500 + 88) + 1))


def test_the_files_form_is_the_formula_of_its_name():
    kelvin = FILE.kelvin(18090)

    expected = 1501 / math.log(21106.77 / (0.012545258 * (18090 - 7340)) + 1)
    assert kelvin == pytest.approx(expected)
    assert 290 < expected < 300


@given(r=st.floats(1e4, 1e6), f=st.floats(0.5, 2), o=st.floats(-500, 500), gain=st.floats(0.01, 2))
def test_both_planck_forms_are_one_law(r, f, o, gain):
    counts = np.arange(1000, 16000, 500)
    one = Planck(r, 1430, f, o).kelvin(counts)
    other = PlanckR1R2(r * gain, gain, 1430, f, -o).kelvin(counts)

    np.testing.assert_allclose(one, other, rtol=1e-9)


@pytest.mark.parametrize("formula", FORMULAS)
@given(kelvin=plausible_kelvin)
def test_a_temperature_comes_back_from_its_counts(formula, kelvin):
    counts = formula.counts(kelvin)

    assert formula.kelvin(counts) == pytest.approx(kelvin, rel=1e-9)


@pytest.mark.parametrize("formula", FORMULAS)
@given(one=plausible_kelvin, other=plausible_kelvin)
def test_more_counts_are_warmer(formula, one, other):
    low, high = sorted((one, other))

    assert formula.counts(low) <= formula.counts(high)
    assert formula.kelvin(formula.counts(low)) <= formula.kelvin(formula.counts(high)) + 1e-9


@pytest.mark.parametrize("formula", [AX5, FILE])
def test_every_count_there_can_be_gives_a_temperature_or_nan_and_never_falls(formula):
    kelvin = formula.kelvin(np.arange(65536))
    known = kelvin[np.isfinite(kelvin)]

    assert len(known) > 50_000
    assert (known > 0).all()
    assert (np.diff(known) >= 0).all()


def test_counts_at_and_below_the_offset_have_no_temperature():
    kelvin = FILE.kelvin([0, 7340, 7341])

    assert np.isnan(kelvin[:2]).all()
    assert kelvin[2] > 0


def test_temperatures_out_of_the_curve_s_reach_have_no_counts():
    counts = Planck(1e5, 1430, 3.0, 0).counts([-5.0, 0.0, 1300.0, 2000.0, 300.0])

    assert np.isnan(counts[[0, 1, 3]]).all()
    assert counts[2] > counts[4] > 0


def test_a_mirroring_surface_is_warmer_than_it_looks_in_a_cooler_room():
    skin = Surface(AX5, 0.98, 293.15)
    seen = AX5.counts(306.0)

    assert 306.1 < skin.kelvin(seen) < 306.5
    assert Surface(AX5, 1.0, 293.15).kelvin(seen) == pytest.approx(306.0)
    assert skin.kelvin(AX5.counts(293.15)) == pytest.approx(293.15)


@pytest.mark.parametrize("formula", FORMULAS)
def test_a_formula_comes_back_from_what_is_stored(formula):
    document = describe(formula, "hand-made: measured")

    assert document["source"] == "hand-made: measured"
    assert formula_of(document) == formula


def test_counts_without_a_formula_are_refused_with_the_way_out():
    with pytest.raises(DataError, match=r"mean no temperature.*black body.*streams.thermal"):
        formula_of({"formula": "uncalibrated"})


@pytest.mark.parametrize(
    ("radiometry", "says"),
    [
        ({"formula": "palette"}, "unknown radiometry 'palette'; known: linear, planck"),
        ({"formula": "linear", "kelvin_per_point": 1}, "linear: its constants are not kelvin_per"),
        ({"formula": "planck", "planck_r": 1.0}, "planck: its constants are not planck_r"),
        ({"formula": "linear", "kelvin_per_count": 0.1, "emissivity": 0.9}, "are not kelvin_per"),
        ({**describe(AX5), "emissivity": 0.9}, "constants are not .*emissivity"),
    ],
)
def test_constants_that_do_not_fit_are_named(radiometry, says):
    with pytest.raises(DataError, match=says):
        formula_of(radiometry)
