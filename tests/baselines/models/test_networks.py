"""What every network promises, whatever it is made of."""

from itertools import combinations

import pytest
import torch

from baselines.config import read_config
from baselines.models import MODELS, build_model, find_model
from mavfer.errors import CommandError
from mavfer.streams import STREAM_NAMES, STREAMS

NETWORKS = [name for name, entry in MODELS.items() if entry.kind == "network"]
FUSED = [n for n in NETWORKS if "fusion" in find_model(n).Options.__dataclass_fields__]
BOTH = ("arousal", "valence")
FACES = ("neutral", "happy", "sad")
SIZE = 40
SUBSETS = [chosen for count in (1, 2, 3) for chosen in combinations(STREAM_NAMES, count)]


def config(name, *settings):
    size = 32 if name in {"sta", "mran"} else SIZE
    return read_config(name, "demo", [f"size={size}", *settings])


def network(name, streams=STREAM_NAMES, *settings, classes=(), seed=0):
    torch.manual_seed(seed)
    streams = streams[:1] if name == "sta" else streams
    return build_model(name, config(name, *settings), streams, BOTH, classes).eval()


def clips(name, count=2, frames=3):
    torch.manual_seed(1)
    size = config(name).size
    return {
        stream: torch.randn(count, frames, STREAMS[stream].channels, size, size)
        for stream in STREAM_NAMES
    }


def there(count=2, frames=3, **missing):
    return {name: torch.full((count, frames), missing.get(name, 1.0)) for name in STREAM_NAMES}


def nudge(model):
    """Moves all weights a little, so that none lies where a paper starts it at 0."""
    torch.manual_seed(2)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.02 * torch.randn_like(weight))


@pytest.mark.parametrize("name", NETWORKS)
def test_every_frame_gets_one_value_a_dimension_and_one_logit_a_class(name):
    output = network(name, classes=FACES)(clips(name), there())

    assert output.values.shape == (2, 3, 2)
    assert output.logits.shape == (2, 3, 3)
    assert torch.isfinite(output.values).all()
    assert torch.isfinite(output.logits).all()


@pytest.mark.parametrize("name", NETWORKS)
def test_attention_is_a_share_of_every_frame(name):
    for stream, maps in network(name)(clips(name), there()).attention.items():
        assert maps.shape[:2] == (2, 3), stream
        assert maps.min() >= 0
        torch.testing.assert_close(maps.sum((-1, -2)), torch.ones(2, 3))


@pytest.mark.parametrize("name", NETWORKS)
def test_classes_alone_leave_no_values(name):
    torch.manual_seed(0)
    model = build_model(name, config(name), ("color",), (), FACES).eval()

    output = model(clips(name), there())

    assert output.values.shape == (2, 3, 0)
    assert output.logits.shape == (2, 3, 3)


@pytest.mark.parametrize("fusion", ["early", "late"])
@pytest.mark.parametrize("name", FUSED)
def test_any_streams_can_be_read(name, fusion):
    for streams in SUBSETS:
        output = network(name, streams, f"fusion={fusion}")(clips(name, 1, 2), there(1, 2))

        assert output.values.shape == (1, 2, 2)
        assert set(output.attention) in ({}.keys(), set(streams))


@pytest.mark.parametrize("fusion", ["early", "late"])
@pytest.mark.parametrize("name", FUSED)
def test_a_missing_stream_is_never_read(name, fusion):
    model = network(name, STREAM_NAMES, f"fusion={fusion}")
    nudge(model)
    for stream in STREAM_NAMES:
        missing = there()
        missing[stream][:, 1] = 0
        spoiled = clips(name)
        spoiled[stream][:, 1] = torch.nan

        values = model(clips(name), missing).values

        assert torch.equal(model(spoiled, missing).values, values)
        assert not torch.equal(model(clips(name), there()).values, values)


@pytest.mark.parametrize("name", FUSED)
def test_the_order_of_the_streams_does_not_matter(name):
    forwards, backwards = (network(name, s) for s in (STREAM_NAMES, STREAM_NAMES[::-1]))

    assert torch.equal(
        forwards(clips(name), there()).values, backwards(clips(name), there()).values
    )


@pytest.mark.parametrize("fusion", ["early", "late"])
@pytest.mark.parametrize("name", FUSED)
def test_gradients_reach_every_parameter(name, fusion):
    model = network(name, STREAM_NAMES, f"fusion={fusion}", classes=FACES)
    nudge(model)
    output = model(clips(name), there())

    (output.values.square().sum() + output.logits[..., 0].square().sum()).backward()

    unmoved = [
        key for key, p in model.named_parameters() if p.grad is None or not p.grad.abs().max()
    ]
    assert unmoved == []


@pytest.mark.parametrize("name", NETWORKS)
def test_the_same_seed_gives_the_same_network_and_another_does_not(name):
    once, again, other = (
        network(name, seed=seed)(clips(name), there()).values for seed in (3, 3, 4)
    )

    assert torch.equal(once, again)
    assert not torch.equal(once, other)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_state_dict_brings_the_answers_back(name):
    model, other = network(name, classes=FACES), network(name, classes=FACES, seed=5)

    other.load_state_dict(model.state_dict())

    ours, theirs = (m(clips(name), there()) for m in (model, other))
    assert torch.equal(ours.values, theirs.values)
    assert torch.equal(ours.logits, theirs.logits)


@pytest.mark.parametrize("name", FUSED)
def test_a_few_steps_fit_a_few_clips(name):
    model, frames = network(name).train(), clips(name, 4, 4)
    label = frames["depth"].mean((2, 3, 4), keepdim=False)[..., None].repeat(1, 1, 2) * 20
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    losses = []
    for _ in range(12):
        loss = (model(frames, there(4, 4)).values - label).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())

    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("name", NETWORKS)
def test_an_encoder_that_is_computed_again_has_the_same_gradients(name):
    model = network(name)
    gradients = []
    for is_recomputed in (False, True):
        for module in model.modules():
            module.is_recomputed = is_recomputed
        model.zero_grad()
        model(clips(name), there()).values.square().sum().backward()
        gradients.append([p.grad.clone() for p in model.parameters() if p.grad is not None])

    torch.testing.assert_close(gradients[0], gradients[1])


@pytest.mark.parametrize("name", NETWORKS)
def test_narrow_networks_say_that_they_are(name):
    assert config(name).is_narrow
    assert not read_config(name).is_narrow


@pytest.mark.parametrize("name", [name for name in FUSED if name != "resnet18"])
def test_a_picture_that_is_too_small_is_named(name):
    with pytest.raises(CommandError, match="size 4 is too small"):
        read_config(name, "demo", ["size=4"])


@pytest.mark.parametrize("name", NETWORKS)
def test_mixed_precision_answers_nearly_alike(name):
    model = network(name, classes=FACES)
    nudge(model)
    exact = model(clips(name), there())

    with torch.autocast("cpu", torch.bfloat16):
        mixed = model(clips(name), there())

    scale = exact.values.abs().max() + exact.logits.abs().max()
    assert (mixed.values.float() - exact.values).abs().max() < 0.05 * scale
    assert (mixed.logits.float() - exact.logits).abs().max() < 0.05 * scale
    mixed.values.float().square().sum().backward()
