"""What every classical model promises, whatever it counts."""

from dataclasses import replace

import numpy as np
import pytest

import mavfer
from baselines.config import read_config
from baselines.data import session_view
from baselines.models import MODELS, find_model
from mavfer.errors import CommandError, NotFound
from mavfer.metrics import ccc
from mavfer.streams import STREAM_NAMES

CLASSICAL = [name for name, entry in MODELS.items() if entry.kind == "classical"]
BOTH = ("arousal", "valence")
TRAINED = ("S01-001", "S02-001", "S03-001")


def options(name, *settings):
    return read_config(name, "demo", ["size=32", "shift_pixels=1", "rate_hz=0", *settings])


@pytest.fixture(scope="module")
def views(labelled):
    """Every session, read once: the models share what they see."""
    config = options("mean")
    return {r.session: session_view(r, config, BOTH) for r in mavfer.load(labelled.root)}


def trained(views, name, streams=STREAM_NAMES, *settings, seed=0):
    model = find_model(name)(options(name, *settings), streams, BOTH)
    model.fit([views[session] for session in TRAINED], seed)
    return model, views["S05-001"]


@pytest.mark.parametrize("name", CLASSICAL)
@pytest.mark.parametrize("streams", [("color",), ("depth", "thermal"), STREAM_NAMES])
def test_every_frame_gets_one_value_a_dimension(views, name, streams):
    model, held_out = trained(views, name, streams)

    values = model.predict(held_out)

    assert values.shape == (48, 2)
    assert np.isfinite(values).all()


@pytest.mark.parametrize("name", CLASSICAL)
def test_what_is_saved_predicts_the_same(views, name, tmp_path):
    model, held_out = trained(views, name)
    other = find_model(name)(options(name), STREAM_NAMES, BOTH)

    model.save(tmp_path)
    other.load(tmp_path)

    assert np.array_equal(other.predict(held_out), model.predict(held_out))
    assert other.parameters == model.parameters > 0
    assert [path.name for path in tmp_path.iterdir()] == ["weights.safetensors"]


@pytest.mark.parametrize("name", CLASSICAL)
def test_the_same_seed_draws_the_same_frames(views, name):
    few = () if name == "mean" else ("most_frames=60",)
    models = [trained(views, name, STREAM_NAMES, *few, seed=seed)[0] for seed in (1, 1, 2)]
    held_out = views["S05-001"]

    once, again, other = (model.predict(held_out) for model in models)

    assert np.array_equal(once, again)
    assert np.array_equal(once, other) is (name == "mean")


@pytest.mark.parametrize("name", ["lbptop_svr", "landmarks_svr"])
def test_a_missing_stream_is_never_read(views, name):
    model, view = trained(views, name)
    valid = view.valid | {"thermal": np.arange(48) % 3 > 0}
    spoiled = view.frames["thermal"].copy()
    spoiled[~valid["thermal"]] = np.nan

    values = model.predict(replace(view, valid=valid))
    again = model.predict(replace(view, valid=valid, frames=view.frames | {"thermal": spoiled}))

    assert np.array_equal(again, values)
    assert not np.array_equal(model.predict(view), values)


@pytest.mark.parametrize("name", CLASSICAL)
def test_a_session_that_shows_no_face_is_not_predicted(views, name):
    model, view = trained(views, name)
    blind = replace(view, valid={stream: np.zeros(48, bool) for stream in STREAM_NAMES})

    assert np.isnan(model.predict(blind)).all()


@pytest.mark.parametrize("name", CLASSICAL)
def test_unrated_sessions_teach_nothing(views, name):
    unrated = replace(views["S01-001"], labels=np.full((48, 2), np.nan, np.float32))
    model = find_model(name)(options(name), STREAM_NAMES, BOTH)

    with pytest.raises(NotFound, match="no rated frame"):
        model.fit([unrated])


@pytest.mark.parametrize("name", CLASSICAL)
def test_classes_are_refused(name):
    with pytest.raises(CommandError, match=f"{name} tells no classes. Use --set task=dimensions"):
        find_model(name)(options(name), ("color",), BOTH, ("happy", "sad"))


def test_the_mean_is_that_of_the_training_labels(views):
    model, held_out = trained(views, "mean")

    labels = np.concatenate([views[session].labels for session in TRAINED])

    np.testing.assert_allclose(model.predict(held_out)[7], labels.mean(0), rtol=1e-6)
    assert ccc(model.predict(held_out)[:, 0], held_out.labels[:, 0]) == 0


def test_patterns_in_thermal_tell_more_than_the_mean(views):
    model, held_out = trained(views, "lbptop_svr", STREAM_NAMES, "window_frames=3")

    values = model.predict(held_out)

    assert ccc(values[:, 0], held_out.labels[:, 0]) > 0.2
