"""The formula from latents to weights, and what the six fields do to a face."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recording.simulated.expression import FIELDS, displacement_fields, expression_weights
from recording.simulated.photo import LANDMARKS

latent = st.floats(-1, 1)

RANGES = {
    "smile": (-1.7, 0.3), "open": (-0.8, 0.75), "brow": (-0.7, 1.2), "furrow": (-0.35, 0.9),
    "lid": (-0.3, 0.68), "round": (0, 0.6),
}  # fmt: skip


def weights_of(arousal, valence):
    row = expression_weights(np.array([arousal]), np.array([valence]))[0]
    return dict(zip(FIELDS, row, strict=True))


@given(arousal=latent, valence=latent)
def test_weights_stay_in_their_ranges(arousal, valence):
    weights = weights_of(arousal, valence)

    for field, (low, high) in RANGES.items():
        assert low - 1e-9 <= weights[field] <= high + 1e-9


@given(one=latent, other=latent, valence=latent)
def test_more_arousal_opens_mouth_and_eyes_and_lifts_the_brows(one, other, valence):
    calm, aroused = weights_of(min(one, other), valence), weights_of(max(one, other), valence)

    assert calm["open"] <= aroused["open"]
    assert calm["brow"] <= aroused["brow"]
    assert calm["lid"] >= aroused["lid"]
    assert calm["smile"] == aroused["smile"]


@given(one=latent, other=latent, arousal=latent)
def test_more_valence_smiles_more_and_frowns_less(one, other, arousal):
    low, high = weights_of(arousal, min(one, other)), weights_of(arousal, max(one, other))

    assert low["smile"] <= high["smile"]
    assert low["furrow"] >= high["furrow"]
    assert low["open"] == high["open"]


def moved(field, landmark):
    """Millimetres (3,) by which a field moves a landmark."""
    return displacement_fields(LANDMARKS)[FIELDS.index(field), landmark]


def test_each_field_moves_what_its_name_says():
    smile_left, smile_right = moved("smile", 54), moved("smile", 48)

    assert smile_left[1] < -6
    assert smile_right[1] < -6
    assert smile_left[0] > 2
    assert smile_right[0] < -2
    assert moved("open", 57)[1] > 11
    assert moved("open", 8)[1] > 10
    assert moved("open", 51)[1] < -1
    assert moved("brow", 19)[1] < -5
    assert moved("furrow", 21)[0] > 2
    assert moved("round", 54)[0] < -3


def test_lids_close_at_weight_one():
    for upper, lower in ((37, 41), (38, 40), (43, 47), (44, 46)):
        height = (LANDMARKS[lower, 1] - LANDMARKS[upper, 1]) * 1.464
        closed = height + moved("lid", lower)[1] - moved("lid", upper)[1]

        assert abs(closed) < 0.25 * height


def test_nothing_moves_outside_the_face():
    around = np.array([(225.0, 20.0), (150.0, 90.0), (300.0, 90.0), (225.0, 260.0), (60.0, 300.0)])

    np.testing.assert_array_equal(displacement_fields(around), 0)


def test_fields_are_smooth_across_the_face():
    x = np.linspace(170, 280, 221)
    row = np.stack([x, np.full_like(x, 118.0)], axis=1)
    steps = np.diff(displacement_fields(row), axis=1)

    assert abs(steps).max() < 0.2  # millimetres in half a pixel of the photograph
