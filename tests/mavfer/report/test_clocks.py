"""What pages say of a clock fit."""

from __future__ import annotations

from mavfer.report.clocks import CLOCK_COLUMNS, CLOCK_WORDS, clock_numbers

FIT = {"drift_ppm": 12.5, "bound_ms": 0.4, "residual_median_ms": 1.5}
PIECE = {"first_frame": 0, "frames": 9, "cause": "start", "jump_ms": 0.0, "uncertainty_ms": 0.2}


def test_misfit_and_uncertainty_stand_in_columns_of_their_own():
    fit = {**FIT, "uncertainty_median_ms": 0.1, "uncertainty_max_ms": 0.2, "pieces": [PIECE] * 3}
    told = dict(zip(CLOCK_COLUMNS, clock_numbers(fit), strict=True))

    assert told == {
        "drift, ppm": 12.5,
        "jumps": 2,
        "uncertain, ms": 0.1,
        "at worst, ms": 0.2,
        "misfit, ms": 0.4,
        "delay, ms": 1.5,
    }


def test_a_shard_of_an_earlier_version_leaves_open_what_it_does_not_know():
    assert clock_numbers(FIT) == [12.5, None, None, None, 0.4, 1.5]


def test_every_column_but_the_drift_is_explained():
    words = {column.partition(",")[0] for column in CLOCK_COLUMNS} - {"drift"}

    assert {word for word in words if word not in CLOCK_WORDS.lower()} == set()
