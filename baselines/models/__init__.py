"""The models, one readable file each, with the paper at its head.

A model may import torch, `baselines.convlstm` and `baselines.config`; it never reads a file.
Importing this package loads torch. A new model is one file here and one line in `MODELS`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from baselines.models.mran import Mran
from baselines.models.sta import Output, Sta
from mavfer.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from baselines.config import Config
    from mavfer.streams import StreamName

__all__ = ["MODELS", "Model", "Mran", "Output", "Sta", "build_model", "find_model"]

Model = Sta | Mran

MODELS: Final[dict[str, type[Model]]] = {"sta": Sta, "mran": Mran}


def find_model(name: str) -> type[Model]:
    """The model of a name.

    Raises:
        CommandError: There is none of that name.
    """
    if name not in MODELS:
        message = f"no model {name!r}. There are: {', '.join(MODELS)}"
        raise CommandError(message)
    return MODELS[name]


def build_model(
    name: str, config: Config, streams: Sequence[StreamName], dimensions: Sequence[str]
) -> Model:
    """A new model; its numbers depend on torch's random state alone.

    Args:
        name: One of `MODELS`.
        config: Widths and sizes.
        streams: Streams that it reads.
        dimensions: Dimensions that it predicts.

    Raises:
        CommandError: There is no such model, or it cannot read these streams or sizes.
    """
    return find_model(name)(config, streams, dimensions)
