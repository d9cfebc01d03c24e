"""Views are the face, averaged; batches are the same for the same seed."""

from dataclasses import replace

import numpy as np
import pytest
from toy_study import FRAMES, NARROW, SIDE

import mavfer
from baselines.config import read_config
from baselines.data import View, batches, clip_stride, session_view

BOTH = ("arousal", "valence")
CONFIG = read_config("mran", "demo", NARROW)


@pytest.fixture
def recording(labelled):
    return mavfer.load(labelled.root)[0]


@pytest.fixture
def aligned(recording):
    """The same session, as if its crops had the preset in which the eyes have a known place."""
    recording.info = {**recording.info, "alignment": "mavfer224"}
    return recording


def plain_view(pixels, source=SIDE):
    return View(0.0, 0.0, float(source), float(source), pixels, pixels)


def test_an_average_keeps_the_mean_and_counts_every_pixel():
    frames = np.random.default_rng(0).uniform(0, 255, (2, SIDE, SIDE, 3))

    averaged = plain_view(20).average(frames)

    assert averaged.shape == (2, 20, 20, 3)
    np.testing.assert_allclose(averaged.mean((1, 2)), frames.mean((1, 2)), rtol=1e-5)


def test_an_average_over_whole_pixels_is_their_mean():
    frames = np.random.default_rng(0).uniform(0, 255, (1, SIDE, SIDE, 1))
    blocks = frames.reshape(1, 16, 3, 16, 3, 1).mean((2, 4))

    np.testing.assert_allclose(plain_view(16).average(frames), blocks, rtol=1e-5)


def test_what_lies_beyond_the_crop_has_the_value_of_its_edge():
    frames = np.full((1, SIDE, SIDE, 1), 7.0)

    averaged = View(-9.0, -9.0, SIDE + 18.0, SIDE + 18.0, 11, 11).average(frames)

    np.testing.assert_allclose(averaged, 7, rtol=1e-6)


def test_the_eyes_come_to_lie_where_the_configuration_wants_them(aligned):
    config = replace(CONFIG, shift_pixels=0, view_eye_distance=0.5, view_eye_y=0.25)

    left, top, width, height = View.of(aligned, config).inner_box

    # mavfer224: eyes .35 of the width apart, in the middle, .30 from the top.
    assert SIDE * 0.35 / width == pytest.approx(0.5)
    assert (SIDE * 0.5 - left) / width == pytest.approx(0.5)
    assert (SIDE * 0.30 - top) / height == pytest.approx(0.25)


def test_the_margin_of_shifts_lies_around_the_same_view(aligned):
    without = View.of(aligned, replace(CONFIG, shift_pixels=0))
    margin = View.of(aligned, replace(CONFIG, shift_pixels=4))

    assert margin.inner_box == pytest.approx(without.inner_box)
    assert margin.pixels == without.pixels + 8
    assert margin.width == pytest.approx(without.width * margin.pixels / without.pixels)


def test_crops_that_were_not_aligned_are_used_whole(recording):
    view = View.of(recording, replace(CONFIG, shift_pixels=0))

    assert view.inner_box == (0, 0, SIDE, SIDE)


def test_each_stream_is_on_its_own_scale(recording):
    view = session_view(recording, replace(CONFIG, shift_pixels=0), BOTH)

    color = view.frames["color"].astype(float)
    assert color.shape == (FRAMES, 3, 32, 32)
    np.testing.assert_allclose(color.mean((1, 2, 3)), 0, atol=2e-3)
    np.testing.assert_allclose(color.std((1, 2, 3)), 1, atol=2e-3)
    celsius = view.frames["thermal"].astype(float).mean() * 2.5 + 33
    assert celsius == pytest.approx(recording.thermal[:].mean() / 100 - 273.15, abs=0.02)
    assert abs(np.median(view.frames["depth"][:, 0, 8:24, 8:24])) < 0.05


def test_pixels_without_a_measurement_count_for_nothing(recording, monkeypatch):
    config = replace(CONFIG, shift_pixels=0)
    whole = session_view(recording, config, BOTH)
    stream = type(recording.thermal)
    read = stream.read

    def with_holes(self, rows, out=None):
        pixels = read(self, rows, out)
        if self.stream != "color":
            pixels[:, ::3, ::3] = 0
        return pixels

    monkeypatch.setattr(stream, "read", with_holes)
    holed = session_view(recording, config, BOTH)

    for name in ("depth", "thermal"):
        apart = whole.frames[name].astype(float) - holed.frames[name].astype(float)
        assert np.abs(apart).mean() < 0.05
        assert np.abs(apart).max() < 0.5


def test_the_rate_of_clips_comes_near_the_one_asked_for(recording):
    recording.info = {**recording.info, "rate_hz": 30.0}

    assert clip_stride([recording], replace(CONFIG, rate_hz=4.0)) == 8
    assert clip_stride([recording], replace(CONFIG, rate_hz=60.0)) == 1
    assert clip_stride([recording], replace(CONFIG, rate_hz=0.0)) == 1


def epoch(labelled, config=CONFIG, *, number=0, seed=3):
    dataset = mavfer.load(labelled.root).split("train")
    views = {r.session: session_view(r, config, BOTH) for r in dataset}
    clips = dataset.clips(length=config.frames, hop=config.hop, start="random", seed=seed)
    return clips, list(batches(clips, views, config, epoch=number, seed=seed))


def test_batches_cover_the_clips_and_hold_what_the_names_say(labelled):
    clips, made = epoch(labelled)

    first = made[0]
    count = len(first.labels)
    assert sum(len(batch.labels) for batch in made) == len(clips)
    assert first.frames["color"].shape == (count, 6, 3, 32, 32)
    assert first.frames["thermal"].shape == (count, 6, 1, 32, 32)
    assert {array.dtype for array in first.frames.values()} == {np.dtype(np.float32)}
    assert first.valid["depth"].shape == (count, 6)
    assert first.labels.shape == first.mask.shape == (count, 6, 2)
    assert min(len(batch.labels) for batch in made) >= CONFIG.batch_size


def test_batches_are_the_same_for_the_same_seed_and_epoch_only(labelled):
    _, once = epoch(labelled)
    _, again = epoch(labelled)
    _, later = epoch(labelled, number=1)
    _, other = epoch(labelled, seed=4)

    for name in once[0].frames:
        np.testing.assert_array_equal(once[0].frames[name], again[0].frames[name])
        assert not np.array_equal(once[0].frames[name], later[0].frames[name])
        assert not np.array_equal(once[0].frames[name], other[0].frames[name])


def test_a_mirrored_clip_is_mirrored_in_every_stream(labelled):
    still = replace(CONFIG, shift_pixels=0, color_gain=0.0, batch_size=1)
    still = replace(still, thermal_offset_celsius=0.0, depth_offset_mm=0.0)
    _, plain = epoch(labelled, still)
    _, flipped = epoch(labelled, replace(still, mirror=True))

    turned = []
    for one, two in zip(plain, flipped, strict=True):
        is_turned = {
            name: not np.array_equal(one.frames[name], two.frames[name]) for name in one.frames
        }
        turned += set(is_turned.values())
        for name, is_other in is_turned.items():
            expected = one.frames[name][..., ::-1] if is_other else one.frames[name]
            np.testing.assert_array_equal(two.frames[name], expected)
    assert len(turned) == len(plain)
    assert set(turned) == {True, False}


def hidden(labelled, share, *, number=0):
    """Batches with a share of hidden streams, and the same ones without."""
    _, plain = epoch(labelled, number=number)
    _, made = epoch(labelled, replace(CONFIG, modality_dropout=share), number=number)
    return plain, made


def streams_there(batch):
    """Streams that each clip shows (B, streams)."""
    return np.stack([bits.any(axis=1) for bits in batch.valid.values()], axis=1)


def test_a_hidden_stream_is_gone_from_its_clip_and_never_the_last_one(labelled):
    plain, made = hidden(labelled, 1.0)

    for before, after in zip(plain, made, strict=True):
        gone = streams_there(before).sum(axis=1) - streams_there(after).sum(axis=1)
        assert set(gone.tolist()) == {1}
        assert streams_there(after).any(axis=1).all()
        np.testing.assert_array_equal(before.labels, after.labels)


def test_without_a_share_nothing_is_hidden_and_nothing_else_is_drawn(labelled):
    plain, made = hidden(labelled, 0.0)

    for before, after in zip(plain, made, strict=True):
        np.testing.assert_array_equal(streams_there(before), streams_there(after))
        np.testing.assert_array_equal(before.frames["color"], after.frames["color"])


def test_about_as_many_clips_lose_a_stream_as_asked_for(labelled):
    lost, clips = 0, 0
    for number in range(6):
        _, made = hidden(labelled, 0.5, number=number)
        for batch in made:
            there = streams_there(batch)
            lost, clips = lost + int((~there).sum()), clips + len(there)

    assert 0.35 < lost / clips < 0.65


def test_the_only_stream_is_never_hidden(labelled):
    dataset = mavfer.load(labelled.root, modalities=("thermal",)).split("train")
    config = replace(CONFIG, modality_dropout=1.0)
    views = {r.session: session_view(r, config, BOTH) for r in dataset}
    clips = dataset.clips(length=config.frames, hop=config.hop, start="random", seed=3)

    for batch in batches(clips, views, config, epoch=0, seed=3):
        assert batch.valid["thermal"].all()


def test_frames_that_only_the_hidden_stream_showed_do_not_count(labelled):
    dataset = mavfer.load(labelled.root).split("train")
    config = replace(CONFIG, modality_dropout=1.0)
    views = {}
    for recording in dataset:
        view = session_view(recording, config, BOTH)
        dark = {name: bits & (name == "thermal") for name, bits in view.valid.items()}
        dark["color"] = dark["thermal"] & (np.arange(FRAMES) % 2 == 0)
        views[recording.session] = replace(view, valid=dark, expression=np.ones(FRAMES, np.int64))
    clips = dataset.clips(length=config.frames, hop=config.hop, start="random", seed=3)

    for batch in batches(clips, views, config, epoch=0, seed=3):
        is_seen = np.stack(list(batch.valid.values())).any(axis=0)
        np.testing.assert_array_equal(batch.mask, np.repeat(is_seen[..., None], 2, axis=-1))
        np.testing.assert_array_equal(batch.expression, np.where(is_seen, 1, -1))
