"""Studies whose answer is known: what each stream shows, and what it must not show."""

from dataclasses import replace

import numpy as np
import pytest

import mavfer
from baselines.drawn_faces import (
    Face,
    Light,
    draw_color,
    draw_depth,
    draw_thermal,
    landmarks_of,
)
from baselines.synthetic import DESIGNS, SPLIT, TRUTH, make_study
from mavfer.errors import AlreadyThere, CommandError
from mavfer.study.splits import read_split

FRAMES, SIZE = 8, 24
FACE = Face(
    arousal=np.linspace(-1, 1, FRAMES),
    valence=np.linspace(1, -1, FRAMES),
    width=0.7,
    eyes=0.3,
    skin=(0.8, 0.6, 0.5),
    warmth_centikelvin=50.0,
)
LIGHT = Light(gain=0.9, slope=(0.1, 0.0), cast=(1.0, 1.0, 1.0))
STILL = np.zeros(FRAMES)


def drawn(draw, **changes):
    return draw(replace(FACE, **changes), SIZE, np.random.default_rng(1))


def tiny(name, **changes):
    return replace(DESIGNS[name], training_subjects=3, test_subjects=2, frames=12, **changes)


@pytest.fixture(scope="module")
def split_study(tmp_path_factory):
    return make_study(tmp_path_factory.mktemp("split") / "study", tiny("split"))


def test_depth_shows_valence_and_nothing_of_arousal():
    assert np.array_equal(drawn(draw_depth), drawn(draw_depth, arousal=STILL))
    assert not np.array_equal(drawn(draw_depth), drawn(draw_depth, valence=STILL))


def test_thermal_shows_arousal_and_nothing_of_valence():
    assert np.array_equal(drawn(draw_thermal), drawn(draw_thermal, valence=STILL))
    assert not np.array_equal(drawn(draw_thermal), drawn(draw_thermal, arousal=STILL))


@pytest.mark.parametrize("dimension", ["arousal", "valence"])
def test_color_shows_both(dimension):
    shown, still = (
        draw_color(replace(FACE, **changes), LIGHT, SIZE, np.random.default_rng(1))
        for changes in ({}, {dimension: STILL})
    )

    assert not np.array_equal(shown, still)


def test_brightness_gives_nothing_away():
    for gain in (0.9, 0.01):
        pictures = draw_color(FACE, replace(LIGHT, gain=gain), SIZE, np.random.default_rng(1))
        means = pictures.mean((1, 2, 3))

        assert np.ptp(means) < 12
        assert abs(np.corrcoef(means, FACE.arousal)[0, 1]) < 0.95


def test_a_flat_cold_face_has_no_relief_and_no_warmth():
    flat = draw_depth(FACE, SIZE, np.random.default_rng(1), is_flat=True)
    cold = draw_thermal(FACE, SIZE, np.random.default_rng(1), is_cold=True)
    middle = slice(SIZE // 3, 2 * SIZE // 3)

    measured = flat[:, middle, middle]
    assert np.ptp(measured[measured > 0]) < 20
    assert np.ptp(cold.astype(int)) < 100


def test_landmarks_lie_where_the_face_is_drawn():
    points = landmarks_of(FACE, SIZE)
    eyes, mouth = points[:, 36:48], points[:, 60:68]

    assert points.shape == (FRAMES, 68, 2)
    assert (points > 0).all()
    assert (points < SIZE - 1).all()
    assert (eyes[..., 1].max(1) < mouth[..., 1].min(1)).all()
    opening = mouth[:, 6, 1] - mouth[:, 2, 1]  # landmarks 66 and 62
    assert np.corrcoef(opening, FACE.arousal)[0, 1] > 0.99
    rise = mouth[:, 2, 1] + mouth[:, 6, 1] - mouth[:, 0, 1] - mouth[:, 4, 1]
    assert np.corrcoef(rise, FACE.valence)[0, 1] > 0.99
    dark = draw_color(FACE, LIGHT, 96, np.random.default_rng(1)).mean(-1)
    x, y = landmarks_of(FACE, 96)[-1, 66].round().astype(int)  # the open mouth's lower lip
    assert dark[-1, y - 3, x] < 0.5 * dark[-1, y + 12, x]


def test_in_the_dark_landmarks_tell_nothing_of_the_face(split_study):
    seen = {"bright": [], "dark": []}
    for rec in mavfer.load(split_study.root, labels=TRUTH):
        opening = rec.landmarks[:, 65:68, 1].mean(1) - rec.landmarks[:, 61:64, 1].mean(1)
        seen[rec.info["settings"]["lighting"]] += [(opening, rec.arousal)]

    told = {light: np.corrcoef(*np.hstack(pairs))[0, 1] for light, pairs in seen.items()}
    assert told["bright"] > 0.8
    assert abs(told["dark"]) < 0.4


def test_a_study_of_a_design_is_read_like_any_other(split_study):
    dataset = mavfer.load(split_study.root, labels=TRUTH, verify="full")

    assert len(dataset) == 10
    assert dataset[0].color[:].shape == (12, 40, 40, 3)
    assert np.isfinite(dataset[0].arousal).all()
    parts = read_split(split_study, SPLIT).folds[0]
    assert {len(parts["train"]), len(parts["test"])} == {3, 2}
    lit = [recording.info["settings"]["lighting"] for recording in dataset]
    assert sorted(set(lit)) == ["bright", "dark"]


def test_the_same_seed_draws_the_same_pixels(split_study, tmp_path):
    again = mavfer.load(make_study(tmp_path / "again", tiny("split")).root, labels=TRUTH)
    other = mavfer.load(make_study(tmp_path / "other", tiny("split"), seed=1).root, labels=TRUTH)
    first = mavfer.load(split_study.root, labels=TRUTH)

    assert all(np.array_equal(a.color[:], b.color[:]) for a, b in zip(first, again, strict=True))
    assert not np.array_equal(first[0].color[:], other[0].color[:])


def test_shuffled_labels_belong_to_other_sessions(split_study, tmp_path):
    shuffled = mavfer.load(make_study(tmp_path / "s", tiny("shuffled")).root, labels=TRUTH)
    true = mavfer.load(split_study.root, labels=TRUTH)

    for mixed, own in zip(shuffled, true, strict=True):
        assert np.array_equal(mixed.color[:], own.color[:])
        assert not np.array_equal(mixed.arousal, own.arousal)
    everybody = {tuple(recording.arousal) for recording in true}
    assert {tuple(recording.arousal) for recording in shuffled} == everybody


def test_swapped_modalities_belong_to_other_sessions(split_study, tmp_path):
    swapped = mavfer.load(make_study(tmp_path / "s", tiny("swapped")).root, labels=TRUTH)
    true = mavfer.load(split_study.root, labels=TRUTH)

    for mixed, own in zip(swapped, true, strict=True):
        assert np.array_equal(mixed.color[:], own.color[:])
        assert np.array_equal(mixed.arousal, own.arousal)
        assert not np.array_equal(mixed.depth[:], own.depth[:])
        assert not np.array_equal(mixed.thermal[:], own.thermal[:])


def test_one_of_two_faces_is_alive_on_either_side(tmp_path):
    design = tiny("decoy", size=24)
    dataset = mavfer.load(make_study(tmp_path / "decoy", design).root, labels=TRUTH)

    warm_sides = set()
    for recording in dataset:
        halves = np.split(recording.thermal[:].astype(float), 2, axis=2)
        left, right = (half[:, 10:14].mean() for half in halves)
        assert abs(left - right) > 300
        warm_sides.add("left" if left > right else "right")
    assert warm_sides == {"left", "right"}


def test_a_study_is_never_drawn_over_another(split_study):
    with pytest.raises(AlreadyThere, match="holds a study already"):
        make_study(split_study.root, tiny("split"))


def test_nothing_can_be_mixed_up_among_one_subject(tmp_path):
    with pytest.raises(CommandError, match="two subjects or more"):
        make_study(tmp_path / "study", replace(DESIGNS["split"], test_subjects=1))
