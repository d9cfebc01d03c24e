"""STA has the shapes of its paper, and its attention is one."""

import pytest
import torch

from baselines.config import read_config
from baselines.models import build_model
from mavfer.errors import CommandError

NARROW = read_config("sta", "demo")
BOTH = ("arousal", "valence")


def clips(count=2, frames=3, size=64):
    torch.manual_seed(1)
    return torch.randn(count, frames, 3, size, size)


def sta(config=NARROW, seed=0):
    torch.manual_seed(seed)
    return build_model("sta", config, ("color",), BOTH).eval()


def test_every_frame_gets_one_value_a_dimension_and_one_map():
    output = sta()({"color": clips()}, {"color": torch.ones(2, 3)})

    assert output.values.shape == (2, 3, 2)
    assert output.attention["color"].shape == (2, 3, 16, 16)


def test_attention_sums_to_one_per_frame_and_is_never_negative():
    attention = sta()({"color": clips()}, {"color": torch.ones(2, 3)}).attention["color"]

    torch.testing.assert_close(attention.sum((-1, -2)), torch.ones(2, 3))
    assert attention.min() >= 0


def test_the_published_net_has_the_published_layers():
    model = build_model("sta", read_config("sta"), ("color",), BOTH)
    kinds = {torch.nn.Conv2d: [], torch.nn.Conv3d: [], torch.nn.MaxPool3d: [], torch.nn.Linear: []}
    for module in model.modules():
        for kind, found in kinds.items():
            if type(module) is kind:
                found.append(module)
    branch = model.branches["color"]

    encoder = [layer for layer in branch.encoder if isinstance(layer, torch.nn.Conv2d)]
    assert [layer.out_channels for layer in encoder] == [32, 64, 128]
    assert {layer.kernel_size for layer in encoder} == {(3, 3)}
    assert [cell.width for cell in branch.decoder.recurrent] == [64, 32]
    assert [layer.out_channels for layer in kinds[torch.nn.Conv3d]] == [32, 64, 128, 256]
    assert [layer.out_features for layer in kinds[torch.nn.Linear]] == [1024, 1024, 2]


def test_the_published_attention_has_the_size_of_the_input():
    config = read_config("sta", "sta", ["frames=2"])
    model = build_model("sta", config, ("color",), BOTH).eval()

    with torch.inference_mode():
        output = model({"color": clips(1, 2, 96)}, {"color": torch.ones(1, 2)})

    assert output.attention["color"].shape == (1, 2, 96, 96)
    assert output.values.shape == (1, 2, 2)


def test_a_frame_that_cannot_be_used_does_not_reach_the_others():
    model, frames = sta(), clips()
    valid = torch.tensor([[1.0, 0.0, 1.0]] * 2)
    spoiled = frames.clone()
    spoiled[:, 1] = 100

    told = model({"color": frames}, {"color": valid}).values

    assert torch.equal(model({"color": spoiled}, {"color": valid}).values, told)
    assert not torch.equal(model({"color": spoiled}, {"color": torch.ones(2, 3)}).values, told)


def test_the_label_teaches_the_attention():
    model = sta()

    model({"color": clips()}, {"color": torch.ones(2, 3)}).values.sum().backward()

    decoder = model.branches["color"].decoder
    assert all(p.grad.abs().max() > 0 for p in decoder.recurrent.parameters())
    assert model.branches["color"].encoder[0].weight.grad.abs().max() > 0


def test_without_a_share_attention_does_nothing():
    config = read_config("sta", "demo", ["attention_share=0"])
    model = sta(config)
    inputs = ({"color": clips()}, {"color": torch.ones(2, 3)})
    before = model(*inputs).values

    torch.nn.init.normal_(model.branches["color"].decoder.to_map.weight, std=10)

    assert torch.equal(model(*inputs).values, before)


def test_two_streams_are_too_many():
    with pytest.raises(CommandError, match="sta reads one stream, got color, depth"):
        build_model("sta", NARROW, ("color", "depth"), BOTH)


def test_an_unknown_model_is_answered_with_those_there_are():
    with pytest.raises(CommandError, match=r"no model 'vgg'[.] There are: sta, mran"):
        build_model("vgg", NARROW, ("color",), BOTH)
