"""The models, one readable file each, with the paper at its head.

A model may import torch, `baselines.convlstm`, `baselines.options` and the shared layers here; it
never reads a file of a study. Importing this package imports no model: each is found when asked
for. A new model is one file here and one line in `MODELS`.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Literal

from mavfer.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from baselines.config import Config
    from mavfer.streams import StreamName

__all__ = ["MODELS", "ModelEntry", "build_model", "find_model"]


@dataclass(frozen=True)
class ModelEntry:
    """Where a model is found."""

    place: str
    """Module and class, as "module:Class"; the module lies in `baselines.models`."""
    kind: Literal["network", "classical"] = "network"
    """What trains it: the loop, or its own `fit`."""


MODELS: Final[dict[str, ModelEntry]] = {
    "sta": ModelEntry("sta:Sta"),
    "mran": ModelEntry("mran:Mran"),
    "two_level": ModelEntry("two_level:TwoLevel"),
    "deep_emotion": ModelEntry("deep_emotion:DeepEmotion"),
    "cnn": ModelEntry("cnn:Cnn"),
    "cnn_lstm": ModelEntry("cnn_lstm:CnnLstm"),
    "c3d": ModelEntry("c3d:C3d"),
    "alexnet": ModelEntry("alexnet:AlexNet"),
    "vgg16": ModelEntry("vgg16:Vgg16"),
    "resnet18": ModelEntry("resnet18:ResNet18"),
    "tcn": ModelEntry("tcn:Tcn"),
    "lbptop_svr": ModelEntry("classical.lbptop_svr:LbptopSvr", "classical"),
    "landmarks_svr": ModelEntry("classical.landmarks_svr:LandmarksSvr", "classical"),
    "mean": ModelEntry("classical.mean:Mean", "classical"),
}


def find_model(name: str) -> Any:
    """The class of a model, imported now.

    Each has `Options` (a frozen dataclass), `default_streams` and `default_config`.

    Raises:
        CommandError: There is none of that name.
    """
    if name not in MODELS:
        message = f"no model {name!r}. There are: {', '.join(MODELS)}"
        raise CommandError(message)
    module, _, kind = MODELS[name].place.partition(":")
    return getattr(import_module(f"baselines.models.{module}"), kind)


def build_model(
    name: str,
    config: Config,
    streams: Sequence[StreamName],
    dimensions: Sequence[str],
    classes: Sequence[str] = (),
) -> nn.Module:
    """A new network; its numbers depend on torch's random state alone.

    Args:
        name: One of `MODELS`.
        config: Widths and sizes.
        streams: Streams that it reads.
        dimensions: Dimensions that it predicts.
        classes: Expression classes that it tells apart; none where not asked for.

    Raises:
        CommandError: There is no such model, or it cannot read these streams or sizes.
    """
    network: nn.Module = find_model(name)(config, streams, dimensions, classes)
    return network
