"""The temporal layers see as far as they say."""

import pytest
import torch

from baselines.config import read_config
from baselines.models import build_model
from mavfer.errors import CommandError


def tcn(*settings):
    torch.manual_seed(0)
    config = read_config("tcn", "demo", ["size=16", "widths=[4]", *settings])
    return build_model("tcn", config, ("depth",), ("arousal",)).eval(), config.model


def moved(model, count=40, changed=20):
    """Which frames' answers change with one frame's picture."""
    torch.manual_seed(1)
    frames = torch.randn(1, count, 1, 16, 16)
    other = frames.clone()
    other[:, changed] += 3
    there = {"depth": torch.ones(1, count)}
    before, after = (model({"depth": f}, there).values for f in (frames, other))
    return (before - after).abs()[0, :, 0].gt(1e-7).nonzero().flatten().tolist()


def test_a_frame_sees_as_far_back_as_ahead():
    model, options = tcn()

    assert options.reach == 7
    assert moved(model) == list(range(13, 28))


def test_a_causal_net_sees_nothing_that_comes_later():
    model, options = tcn("causal=true")

    assert options.reach == 14
    assert moved(model) == list(range(20, 35))


def test_the_published_window_is_seen_almost_whole():
    config = read_config("tcn")

    assert config.frames == 300
    assert 2 * config.model.reach + 1 == 127


def test_an_even_kernel_over_time_is_named():
    with pytest.raises(CommandError, match="temporal_kernel is 2, must be odd"):
        read_config("tcn", None, ["temporal_kernel=2"])
