"""Rigs by the name that `--rig` takes; a new one adds a line to the table."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from mavfer.errors import CommandError

if TYPE_CHECKING:
    from recording.camera import Rig

__all__ = ["RIGS", "open_rig"]

RIGS: Final = {"simulated": "recording.simulated:SimulatedRig"}
"""Name to "module:class"; the module is imported when its rig is asked for."""


def open_rig(name: str, **options: Any) -> Rig:
    """The rig `name`, made with `options`.

    Raises:
        CommandError: There is no such rig.
    """
    if name not in RIGS:
        message = f"unknown rig {name!r}; known: {', '.join(RIGS)}"
        raise CommandError(message)
    module, _, factory = RIGS[name].partition(":")
    rig: Rig = getattr(import_module(module), factory)(**options)
    return rig
