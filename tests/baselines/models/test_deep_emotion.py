"""Deep-Emotion has the sizes of its paper, and looks where it wants."""

import pytest
import torch

from baselines.config import read_config
from baselines.models import build_model
from mavfer.errors import CommandError

SEVEN = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")


def published(*settings, streams=("color",)):
    torch.manual_seed(0)
    return build_model(
        "deep_emotion", read_config("deep_emotion", None, settings), streams, (), SEVEN
    )


def numbers_of(module):
    return sum(weight.numel() for weight in module.parameters())


def face_of(model, stream="color"):
    return model.frames.trunks[stream]


def test_the_main_part_has_the_published_number_of_parameters():
    model = published()
    localise = face_of(model).localise

    assert numbers_of(model) - numbers_of(localise) == 43_737
    assert face_of(model).dense[0].in_features == 810
    assert face_of(model).dense[0].out_features == 50
    assert model.answers.classes.out_features == 7


def test_the_localisation_network_has_the_sizes_of_the_reimplementation():
    localise = face_of(published()).localise

    assert numbers_of(localise) == 23_120
    assert next(m for m in localise.layers if isinstance(m, torch.nn.Linear)).in_features == 640


def test_with_the_kernels_of_the_figure_a_thousand_numbers_are_left():
    localise = face_of(published("localisation_kernels=[3, 3]")).localise

    assert next(m for m in localise.layers if isinstance(m, torch.nn.Linear)).in_features == 1000


def test_weights_start_with_the_published_deviation():
    dense = face_of(published()).dense[0]

    assert dense.weight.std().item() == pytest.approx(0.05, rel=0.02)
    assert dense.bias.abs().max() == 0


def test_the_transformer_starts_by_changing_nothing():
    face = face_of(published())
    pictures = torch.randn(2, 1, 48, 48)

    affine = face.localise(pictures)

    torch.testing.assert_close(affine, torch.tensor([[[1.0, 0, 0], [0, 1, 0]]] * 2))
    warped = torch.nn.functional.grid_sample(
        pictures,
        torch.nn.functional.affine_grid(affine, [2, 1, 48, 48], align_corners=False),
        align_corners=False,
    )
    torch.testing.assert_close(warped, pictures, atol=1e-4, rtol=0)


def test_a_transformer_that_looks_elsewhere_sees_something_else():
    model = published().eval()
    frames, valid = {"color": torch.randn(1, 2, 3, 48, 48)}, {"color": torch.ones(1, 2)}
    before = model(frames, valid).logits

    with torch.no_grad():
        face_of(model).localise.affine.bias += torch.tensor([0, 0, 0.5, 0, 0, 0])

    assert not torch.allclose(model(frames, valid).logits, before)


def test_color_is_read_as_grey_unless_said_otherwise():
    model, valid = published().eval(), {"color": torch.ones(1, 1)}
    grey = torch.randn(1, 1, 1, 48, 48)
    tinted = torch.cat([grey + 0.587, grey - 0.299, grey], dim=2)  # of the same grey

    told = [model({"color": c}, valid).logits for c in (grey.repeat(1, 1, 3, 1, 1), tinted)]

    torch.testing.assert_close(*told, atol=1e-5, rtol=1e-4)
    assert face_of(published("grey=false")).convolutions[0].in_channels == 3
    assert face_of(model).convolutions[0].in_channels == 1


def test_fused_early_color_is_one_of_three_channels():
    model = published("fusion=early", streams=("color", "depth", "thermal"))

    assert face_of(model, "together").convolutions[0].in_channels == 3


def test_the_penalty_is_of_the_last_two_layers_alone():
    model = published("weight_penalty=0.5")
    last_two = (face_of(model).dense[0].weight, model.answers.classes.weight)

    penalty = model.penalty()
    penalty.backward()

    assert penalty.item() == pytest.approx(0.5 * sum(w.square().sum().item() for w in last_two))
    assert face_of(model).convolutions[0].weight.grad is None
    torch.testing.assert_close(last_two[1].grad, last_two[1].detach())
    assert published().penalty().item() == 0


def test_the_reimplementations_normalisation_is_an_option():
    model = published("norm=batch")

    layers = list(face_of(model).convolutions)
    (place,) = (i for i, m in enumerate(layers) if isinstance(m, torch.nn.BatchNorm2d))
    assert layers[place - 1].out_channels == 10
    assert numbers_of(model) == 43_737 + 23_120 + 20


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("widths=[10, 10, 10]", "needs an even count"),
        ("localisation_kernels=[7]", "one number a width"),
        ("size=12", "size 12 is too small"),
    ],
)
def test_sizes_that_do_not_fit_are_named(setting, message):
    with pytest.raises(CommandError, match=message):
        read_config("deep_emotion", None, [setting])
