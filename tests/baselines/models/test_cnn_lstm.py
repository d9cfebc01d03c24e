"""The recurrent baseline sees time, and only backwards unless said otherwise."""

import torch

from baselines.config import read_config
from baselines.models import build_model


def moved(*settings):
    """Which frames' answers change with the middle frame's picture."""
    torch.manual_seed(0)
    config = read_config("cnn_lstm", "demo", ["size=16", "widths=[4]", *settings])
    model = build_model("cnn_lstm", config, ("depth",), ("arousal",)).eval()
    frames = torch.randn(1, 5, 1, 16, 16)
    other = frames.clone()
    other[:, 2] += 3
    there = {"depth": torch.ones(1, 5)}
    before, after = (model({"depth": f}, there).values for f in (frames, other))
    return (before - after).abs()[0, :, 0].gt(1e-7).nonzero().flatten().tolist()


def test_a_frame_reaches_those_after_it_and_none_before():
    assert moved() == [2, 3, 4]


def test_both_ways_a_frame_reaches_all():
    assert moved("both_ways=true") == [0, 1, 2, 3, 4]


def test_lstms_stand_one_on_the_other():
    config = read_config("cnn_lstm", "demo", ["lstm_widths=[12, 8]", "both_ways=true"])
    model = build_model("cnn_lstm", config, ("depth",), ("arousal",))

    assert [(layer.input_size, layer.hidden_size) for layer in model.recurrent] == [
        (48, 12),
        (24, 8),
    ]
