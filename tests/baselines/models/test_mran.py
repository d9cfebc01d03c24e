"""MRAN is STA where there is only color, and is guided where there is more."""

import pytest
import torch

from baselines.config import read_config
from baselines.models import build_model
from mavfer.errors import CommandError
from mavfer.streams import STREAM_NAMES, STREAMS

BOTH = ("arousal", "valence")
NARROW = read_config("mran", "demo")
GUIDED_ONLY = read_config("mran", "demo", ["emotion_input=color"])


def clips(count=2, frames=3):
    torch.manual_seed(1)
    return {
        name: torch.randn(count, frames, STREAMS[name].channels, 64, 64) for name in STREAM_NAMES
    }


def there(count=2, frames=3, **missing):
    return {name: torch.full((count, frames), missing.get(name, 1.0)) for name in STREAM_NAMES}


def mran(streams=STREAM_NAMES, config=NARROW, seed=0):
    torch.manual_seed(seed)
    return build_model("mran", config, streams, BOTH).eval()


def sta_with_the_weights_of(model):
    """An `sta` with the color weights of `model`: of joined layers, the part that reads color."""
    sta = build_model("sta", NARROW, ("color",), BOTH).eval()
    theirs, own = model.state_dict(), sta.state_dict()
    color_first = {key: theirs[key][:, : own[key].shape[1]] for key in own if own[key].ndim > 1}
    sta.load_state_dict({key: color_first.get(key, theirs[key]) for key in own})
    return sta


def first_joined_layer(model):
    return next(m for m in model.head.modules() if isinstance(m, torch.nn.Conv3d))


def test_every_stream_has_its_map_and_every_frame_its_values():
    output = mran()(clips(), there())

    assert output.values.shape == (2, 3, 2)
    assert {name: maps.shape for name, maps in output.attention.items()} == dict.fromkeys(
        STREAM_NAMES, (2, 3, 16, 16)
    )
    for maps in output.attention.values():
        torch.testing.assert_close(maps.sum((-1, -2)), torch.ones(2, 3))


def test_given_color_alone_it_is_sta():
    alone = mran(("color",))
    sta = build_model("sta", NARROW, ("color",), BOTH).eval()

    assert [(k, v.shape) for k, v in alone.state_dict().items()] == [
        (k, v.shape) for k, v in sta.state_dict().items()
    ]
    sta.load_state_dict(alone.state_dict())
    ours, theirs = (model(clips(), there()) for model in (alone, sta))
    assert torch.equal(ours.values, theirs.values)
    assert torch.equal(ours.attention["color"], theirs.attention["color"])


def test_the_same_seed_starts_sta_and_color_alone_alike():
    torch.manual_seed(0)
    sta = build_model("sta", NARROW, ("color",), BOTH).eval()

    assert torch.equal(mran(("color",))(clips(), there()).values, sta(clips(), there()).values)


def test_without_guidance_and_the_other_volumes_it_answers_as_sta():
    model = mran()
    sta = sta_with_the_weights_of(model)
    without = there(depth=0.0, thermal=0.0)

    ours, theirs = model(clips(), without), sta(clips(), without)

    torch.testing.assert_close(ours.values, theirs.values, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(ours.attention["color"], theirs.attention["color"])
    assert not torch.allclose(model(clips(), there()).values, theirs.values, atol=1e-3)


def test_depth_and_thermal_move_the_attention_on_color():
    model = mran()
    other = clips()
    other["thermal"] = other["thermal"] + 1

    before, after = (model(inputs, there()).attention for inputs in (clips(), other))

    assert (before["color"] - after["color"]).abs().max() > 1e-6
    assert torch.equal(before["depth"], after["depth"])


@pytest.mark.parametrize("name", ["depth", "thermal"])
def test_gradients_reach_a_guide_through_guidance_alone(name):
    model = mran(config=GUIDED_ONLY)

    model(clips(), there()).values.sum().backward()

    assert model.branches[name].encoder[0].weight.grad.abs().max() > 0
    assert model.branches[name].volume[0].weight.grad is None


@pytest.mark.parametrize("name", STREAM_NAMES)
def test_a_missing_stream_has_no_say(name):
    model, missing = mran(), there(**{name: 0.0})
    spoiled = clips()
    spoiled[name] = spoiled[name] * 50

    values = model(clips(), missing).values

    assert torch.equal(model(spoiled, missing).values, values)
    assert not torch.allclose(model(clips(), there()).values, values)


def test_guidance_alone_reads_one_volume_and_the_other_form_three():
    assert first_joined_layer(mran(config=GUIDED_ONLY)).in_channels == 16
    assert first_joined_layer(mran()).in_channels == 48


def test_depth_and_thermal_work_without_color():
    output = mran(("depth", "thermal"))(clips(), there())

    assert output.values.shape == (2, 3, 2)
    assert set(output.attention) == {"depth", "thermal"}


def test_guidance_alone_needs_color():
    with pytest.raises(CommandError, match="color is not among the modalities"):
        mran(("depth", "thermal"), GUIDED_ONLY)
