"""Weights to start from: a local file under torchvision's names, poured into a network.

Nothing is downloaded. Files may be .safetensors, or what `torch.save` wrote of a state dict, read
without running code from it. Imports torch; import it where it is used.

The file holds a network for color pictures and its own classes; here every stream, or all streams
side by side, has a copy of its layers. So for each copy:

- A name in the copy takes the tensor of the same name and shape.
- The first convolution reads other channels. Color takes the file's three as they are; depth and
  thermal take their sum, which is what a grey picture in all three would get.
- The network's last layer (`left_out`) stays behind, since its answers are others.
- Statistics of batch normalisation stay behind where the network has group normalisation.
"""

from __future__ import annotations

from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any, Final

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from mavfer.errors import CommandError, InvalidFile, NotFound
from mavfer.streams import STREAMS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from torch import nn

    from baselines.config import Config
    from mavfer.streams import StreamName

__all__ = ["start_as_told", "start_from"]

_STATISTICS: Final = ("running_mean", "running_var", "num_batches_tracked")


def start_as_told(model: nn.Module, config: Config) -> None:
    """`start_from` the file that the option `init_from` names; nothing where there is none."""
    name: str = getattr(config.model, "init_from", "")
    if name:
        start_from(model, Path(name))


def start_from(model: nn.Module, path: Path) -> None:
    """Gives every trunk of a network the weights in a file; its last layer keeps its own.

    Args:
        model: One with `left_out`, such as `AlexNet`, `Vgg16` or `ResNet18`.
        path: The file.

    Raises:
        NotFound: There is no such file.
        InvalidFile: It holds no weights, or not those of this network.
        CommandError: The model cannot start from a file.
    """
    if not hasattr(model, "left_out"):
        message = f"{type(model).__name__} starts from no file. Leave init_from out"
        raise CommandError(message)
    network: Any = model
    given = {name: t for name, t in _read(path).items() if name not in network.left_out}
    frames = network.frames
    for group, streams in frames.groups.members.items():
        trunk = frames.trunks[group]
        state = _matched(trunk.state_dict(), given, streams, path)
        trunk.load_state_dict(state)


def _read(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        message = f"init_from: {path}: no such file. Give the path of a file of weights"
        raise NotFound(message)
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        document = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        message = f"{path}: holds more than weights, or is torn. Save its state dict alone"
        raise InvalidFile(message) from error
    except (SafetensorError, RuntimeError, ValueError, EOFError) as error:
        message = f"{path}: not readable as weights ({error}). Give a state dict or .safetensors"
        raise InvalidFile(message) from error
    if not isinstance(document, dict) or not all(isinstance(v, Tensor) for v in document.values()):
        message = f"{path}: is no state dict, names to tensors. Save model.state_dict()"
        raise InvalidFile(message)
    return document


def _matched(
    own: Mapping[str, Tensor],
    given: Mapping[str, Tensor],
    streams: Sequence[StreamName],
    path: Path,
) -> dict[str, Tensor]:
    """The file's tensors under a trunk's names, checked."""
    unknown = [n for n in given if n not in own and not n.endswith(_STATISTICS)]
    if unknown:
        message = f"{path}: holds {unknown[0]}, which has no place in this network. {_advice(own)}"
        raise InvalidFile(message)
    first = next(iter(own))
    matched = {}
    for name, tensor in own.items():
        if name not in given:
            if name.endswith("num_batches_tracked"):
                matched[name] = tensor
                continue
            message = f"{path}: holds no {name}. {_advice(own)}"
            raise InvalidFile(message)
        found = _for_streams(given[name], streams) if name == first else given[name]
        if found.shape != tensor.shape:
            message = (
                f"{path}: {name} is {tuple(found.shape)}, here {tuple(tensor.shape)}. "
                f"Start from published widths, or leave init_from out"
            )
            raise InvalidFile(message)
        matched[name] = found
    return matched


def _for_streams(weight: Tensor, streams: Sequence[StreamName]) -> Tensor:
    """A first convolution for color (width, 3, h, w), for these streams (width, C, h, w)."""
    parts = [
        weight if STREAMS[name].channels == weight.shape[1] else weight.sum(1, keepdim=True)
        for name in streams
    ]
    return torch.cat(parts, dim=1)


def _advice(own: Mapping[str, Tensor]) -> str:
    return f"Its names must be like {next(iter(own))}, as torchvision has them"
