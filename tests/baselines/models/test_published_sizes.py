"""C3D, AlexNet, VGG16 and ResNet-18 have the sizes of the programs that were read.

Nothing is drawn, since only shapes are looked at.
"""

import pytest
import torch

from baselines.config import read_config
from baselines.models import build_model

THOUSAND = tuple(str(number) for number in range(1000))
"""ImageNet's classes, so that whole networks can be counted."""


@pytest.fixture(autouse=True)
def _undrawn(monkeypatch):
    for name in ("kaiming_normal_", "kaiming_uniform_", "uniform_", "zeros_"):
        monkeypatch.setattr(torch.nn.init, name, lambda tensor, *_, **__: tensor)


def published(name, *settings, classes=THOUSAND, streams=("color",)):
    return build_model(name, read_config(name, None, settings), streams, (), classes)


def numbers_of(model):
    return sum(weight.numel() for weight in model.parameters())


@pytest.mark.parametrize(
    ("name", "numbers"),
    [("alexnet", 61_100_840), ("vgg16", 138_357_544), ("resnet18", 11_689_512)],
)
def test_with_imagenets_classes_every_parameter_of_torchvision_is_there(name, numbers):
    assert numbers_of(published(name)) == numbers


def test_vgg16_with_batch_normalisation_is_torchvisions_too():
    assert numbers_of(published("vgg16", "norm=batch")) == 138_365_992


def test_c3d_has_the_parameters_of_its_program_with_the_classes_there():
    model = published("c3d", classes=THOUSAND[:487])

    assert numbers_of(model) == 79_991_015
    assert model.dense[0].in_features == 8192


def test_c3d_keeps_a_row_of_every_frame():
    config = read_config("c3d")
    with torch.device("meta"):
        model = build_model("c3d", config, ("color",), ("arousal",))
        clip = torch.empty(1, 16, 3, 112, 112)
        output = model({"color": clip}, {"color": torch.empty(1, 16)})

    assert (config.size, config.frames) == (112, 16)
    assert output.values.shape == (1, 16, 1)


@pytest.mark.parametrize("name", ["alexnet", "vgg16", "resnet18"])
def test_trunks_carry_torchvisions_names(name):
    keys = set(published(name).frames.trunks["color"].state_dict())

    assert (
        keys
        >= {
            "alexnet": {"features.0.weight", "features.10.bias", "classifier.1.weight"},
            "vgg16": {"features.0.weight", "features.28.bias", "classifier.3.weight"},
            "resnet18": {"conv1.weight", "layer2.0.downsample.1.running_var", "layer4.1.bn2.bias"},
        }[name]
    )
