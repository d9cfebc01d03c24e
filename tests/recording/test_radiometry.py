"""What cameras say of their counts, and that preprocessing and session.json understand it."""

import json
from pathlib import Path

import numpy as np
import pytest

from mavfer.errors import CommandError, DataError
from mavfer.preprocess.temperatures import centikelvin_of_counts
from mavfer.schema import find_problems
from mavfer.vision.radiometry import formula_of
from recording.radiometry import (
    NAMED,
    ax5_linear,
    ax5_signal_linear,
    boson_raw,
    boson_tlinear,
    flir_planck,
    lepton_raw,
    lepton_tlinear,
    radiometry_of,
    tau2_linear,
)

SESSION = Path(__file__).parents[1] / "schemas/examples/session/good/three_streams.json"
AX5_CONSTANTS = {"r": 380_747.0, "b": 1428.0, "f": 1.0, "o": -88.0}
EVERY = [
    *(make() for make in NAMED.values()),
    ax5_signal_linear(**AX5_CONSTANTS),
    ax5_signal_linear(**AX5_CONSTANTS, emissivity=0.98, reflected_kelvin=295.0),
    flir_planck(21106.77, 0.012545258, 1501.0, 1.0, -7340.0),
    lepton_raw(303.15),
]


@pytest.mark.parametrize("radiometry", EVERY, ids=lambda r: r["source"])
def test_a_session_may_store_what_a_camera_says(radiometry):
    document = json.loads(SESSION.read_text())
    document["streams"]["thermal"]["radiometry"] = radiometry

    assert find_problems(document, "session") == []


@pytest.mark.parametrize("radiometry", EVERY, ids=lambda r: r["source"])
def test_everybody_says_how_sure_it_is(radiometry):
    assert ("read" in radiometry["source"]) != ("recalled" in radiometry["source"])


@pytest.mark.parametrize(
    ("radiometry", "counts", "kelvin"),
    [
        (ax5_linear("high"), 7679, 307.16),
        (ax5_linear("low"), 768, 307.2),
        (tau2_linear("high"), 7679, 307.16),
        (lepton_tlinear("high"), 30715, 307.15),
        (lepton_tlinear("low"), 3072, 307.2),
        (boson_tlinear("high"), 30715, 307.15),
        (boson_tlinear("low"), 3072, 307.2),
        (lepton_raw(303.15), 8192, 303.15),
        (lepton_raw(303.15), 8592, 313.15),
    ],
)
def test_each_family_s_step_is_its_own(radiometry, counts, kelvin):
    assert formula_of(radiometry).kelvin(counts) == pytest.approx(kelvin)


@pytest.mark.parametrize("radiometry", [r for r in EVERY if r["formula"] != "uncalibrated"])
def test_preprocessing_makes_centikelvin_by_the_stored_formula(radiometry):
    table = centikelvin_of_counts(radiometry, "S01-001")
    counts = np.arange(65536)
    kelvin = formula_of(radiometry).kelvin(counts)
    in_range = (kelvin > 0) & (kelvin < 655) & (counts > 0)

    if radiometry["formula"] == "linear" and radiometry["kelvin_per_count"] == 0.01:
        assert table is None  # centikelvin already
    else:
        assert in_range.sum() > 1000
        assert table[0] == 0
        assert np.abs(table[in_range] / 100 - kelvin[in_range]).max() <= 0.005 + 1e-9
        assert (table[~np.isfinite(kelvin)] == 0).all()


def test_preprocessing_refuses_counts_without_a_formula_and_names_the_session():
    with pytest.raises(DataError, match="session S01-001: thermal counts mean no temperature"):
        centikelvin_of_counts(boson_raw(), "S01-001")


def test_a_rig_s_file_names_a_family_or_gives_the_constants():
    given = {"formula": "planck_r1_r2", "planck_r1": 2e4, "planck_r2": 0.01, "planck_b": 1500}
    given = {**given, "planck_f": 1, "planck_o": -7000}

    assert radiometry_of("lepton-tlinear-high") == lepton_tlinear("high")
    assert radiometry_of({"formula": "uncalibrated"}) == {"formula": "uncalibrated"}
    assert radiometry_of({"formula": "linear", "kelvin_per_count": 0.1}) == {
        "formula": "linear",
        "kelvin_per_count": 0.1,
        "offset_kelvin": 0.0,
        "source": "given by the rig's file",
    }
    assert radiometry_of(given) == {**given, "source": "given by the rig's file"}


def test_an_unknown_family_is_refused_with_those_that_are_known():
    with pytest.raises(CommandError, match="unknown radiometry 'seek'; known: ax5-linear-high"):
        radiometry_of("seek")
    with pytest.raises(DataError, match="unknown radiometry ''; known: linear"):
        radiometry_of({"kelvin_per_count": 0.1})
