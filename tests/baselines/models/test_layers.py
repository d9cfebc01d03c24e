"""Streams are masked and fused as the shared layers say."""

import pytest
import torch

from baselines.config import read_config
from baselines.models.layers import FusedFrames, StreamGroups, Trunk, normalised
from mavfer.errors import CommandError


class Means(Trunk):
    """The mean of every channel, plus one."""

    def __init__(self, streams):
        super().__init__()
        self.numbers = sum(3 if name == "color" else 1 for name in streams)

    def forward(self, pictures):
        return pictures.mean((2, 3)) + 1


def frames():
    return {
        "color": torch.full((1, 2, 3, 4, 4), 2.0),
        "depth": torch.full((1, 2, 1, 4, 4), 3.0),
        "thermal": torch.full((1, 2, 1, 4, 4), 5.0),
    }


VALID = {
    "color": torch.tensor([[1.0, 0.0]]),
    "depth": torch.tensor([[1.0, 1.0]]),
    "thermal": torch.tensor([[0.0, 0.0]]),
}


def test_fused_late_a_missing_stream_has_features_of_zero():
    fused = FusedFrames(("color", "depth", "thermal"), "late", Means)

    features = fused(frames(), VALID)

    assert fused.numbers == 5
    assert features.tolist() == [[[3, 3, 3, 4, 0], [0, 0, 0, 4, 0]]]


def test_fused_early_a_missing_stream_is_a_picture_of_zeros():
    fused = FusedFrames(("color", "depth"), "early", Means)

    features = fused(frames(), VALID)

    assert features.tolist() == [[[3, 3, 3, 4], [1, 1, 1, 4]]]


def test_a_frame_without_any_stream_has_features_of_zero():
    nothing = {name: torch.zeros(1, 2) for name in VALID}

    for fusion in ("early", "late"):
        features = FusedFrames(("color", "depth"), fusion, Means)(frames(), nothing)
        assert features.abs().max() == 0


def test_one_stream_is_the_same_fused_early_and_late():
    assert StreamGroups(("depth",), "early").members == StreamGroups(("depth",), "late").members


def test_normalisation_has_groups_of_eight_channels():
    assert normalised("group", 32)[0].num_groups == 4
    assert normalised("group", 6)[0].num_groups == 1
    assert normalised("none", 32) == []


def test_a_batch_of_nothing_but_missing_frames_can_be_normalised():
    (norm,) = normalised("group", 8)

    assert torch.isfinite(norm(torch.zeros(2, 8, 3, 3))).all()


def test_an_even_kernel_is_named():
    with pytest.raises(CommandError, match="kernel is 4, must be odd"):
        read_config("cnn", None, ["kernel=4"])
