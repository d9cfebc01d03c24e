"""The device a run computes on, and the state of torch that its numbers depend on.

Imports torch; import it where it is used.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from threadpoolctl import threadpool_limits

from mavfer.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from baselines.config import Config

__all__ = ["device_of", "fixed", "random_state", "restore_random_state"]


@contextmanager
def fixed(seed: int, threads: int) -> Iterator[None]:
    """Fixes torch's random numbers, torch's threads and numpy's, and puts them back afterwards."""
    before = torch.get_num_threads()
    with torch.random.fork_rng(), threadpool_limits(threads or None):
        torch.manual_seed(seed)
        torch.set_num_threads(threads or before)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def device_of(config: Config) -> torch.device:
    """The device that the configuration asks for.

    Raises:
        CommandError: It is not there.
    """
    if config.device == "cuda" and not torch.cuda.is_available():
        message = "device is 'cuda', and torch finds no such device. Use --set device=cpu"
        raise CommandError(message)
    is_cuda = config.device == "cuda" or (config.device == "auto" and torch.cuda.is_available())
    return torch.device("cuda" if is_cuda else "cpu")


def random_state() -> dict[str, Any]:
    """Where torch's random numbers stand."""
    return {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all()}


def restore_random_state(state: Mapping[str, Any]) -> None:
    """Lets torch's random numbers go on from there."""
    torch.set_rng_state(state["cpu"])
    if state["cuda"]:
        torch.cuda.set_rng_state_all(state["cuda"])
