"""Both levels of attention do what the model's docstring says."""

import torch

from baselines.config import read_config
from baselines.models import build_model

BOTH = ("arousal", "valence")
FACES = ("neutral", "happy")


def two_level(*settings, streams=("color",), classes=()):
    torch.manual_seed(0)
    config = read_config("two_level", "demo", ["size=32", *settings])
    return build_model("two_level", config, streams, BOTH, classes).eval()


def clip(stream="color", channels=3):
    torch.manual_seed(1)
    return {stream: torch.randn(1, 2, channels, 32, 32)}, {stream: torch.ones(1, 2)}


def test_every_block_is_a_step_of_the_second_level():
    model = two_level()
    face = model.faces["color"]
    steps = []
    face.layers.recurrent.register_forward_hook(lambda _, given, __: steps.append(given[0].shape))

    model(*clip())

    assert steps == [(2, 3, 32)]  # frames, blocks, features of a layer


def test_without_a_share_the_first_level_does_nothing():
    model = two_level("attention_share=0")
    before = model(*clip()).values

    for regions in model.faces["color"].regions:
        torch.nn.init.normal_(regions.score.weight, std=10)

    assert torch.equal(model(*clip()).values, before)
    assert not torch.equal(two_level()(*clip()).values, before)


def test_the_first_level_reads_most_where_it_attends_most():
    regions = two_level().faces["color"].regions[0]
    maps = torch.zeros(1, 16, 4, 4)
    maps[0, :, 2, 1] = 3.0
    with torch.no_grad():
        regions.hidden.weight.fill_(0.1)
        regions.hidden.bias.zero_()
        regions.score.weight.fill_(5.0)

    _, attention = regions(maps)

    assert attention.flatten(1).argmax() == 2 * 4 + 1
    assert attention[0, 2, 1] > 0.9


def test_features_of_the_expression_help_the_dimensions_in_two_stages():
    helped, alone = two_level(classes=FACES), two_level("two_stage=false", classes=FACES)

    for model, is_helped in ((helped, True), (alone, False)):
        before = model(*clip()).values
        with torch.no_grad():
            model.answers.expression.bias += 3
        assert torch.equal(model(*clip()).values, before) is not is_helped


def test_fused_early_the_streams_share_one_attention_and_late_each_has_its_own():
    streams = ("color", "thermal")
    (color, seen), (thermal, there) = clip(), clip("thermal", 1)

    for fusion in ("early", "late"):
        model = two_level(f"fusion={fusion}", streams=streams)
        attention = model(color | thermal, seen | there).attention
        assert torch.equal(attention["color"], attention["thermal"]) is (fusion == "early")
