"""Rigs by what `--rig` takes: a name of the table, or a rig's file; a new name adds a line."""

from __future__ import annotations

import inspect
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mavfer.errors import CommandError

if TYPE_CHECKING:
    from collections.abc import Collection

    from recording.camera import Rig

__all__ = ["RIGS", "open_rig", "switched_on"]

RIGS: Final = {
    "simulated": "recording.simulated:SimulatedRig",
    "realsense": "recording.realsense:RealSenseRig",
    "served": "recording.simulated.serving:ServedRig",
}
"""Name to "module:class"; the module is imported when its rig is asked for."""

_OF_THE_TAKE: Final = ("seconds", "subject_code", "take", "created_utc")
"""What is known of every take; rigs of real cameras need none of it."""

_FLAGS: Final = {"rates_hz": "--rate", "sizes": "--size"}
"""Options whose flag has another name."""


def open_rig(name: str, **options: Any) -> Rig:
    """The rig `name`, made with `options`; nothing is connected yet.

    Args:
        name: One of `RIGS`; the path of a rig's file, which ends in .toml; or the folder of a
            recorded session, which is then played.
        **options: What the rig's class takes. Facts of the take (`seconds`, `subject_code`, `take`,
            `created_utc`) are left out where the rig has no use for them.

    Raises:
        CommandError: There is no such rig, or it has no such option.
        NotFound, InvalidFile: The rig's file is not there, or cannot be.
    """
    if name.endswith(".toml"):
        from recording.rig import LabRig, read_rig

        _require_options(name, options, _OF_THE_TAKE)
        return LabRig(read_rig(Path(name)), **options)
    if (Path(name) / "session.json").is_file():
        from recording.replay import ReplayRig

        _require_options(name, options, ("pace",))
        return ReplayRig(Path(name), **{k: options[k] for k in ("pace", "seconds") if k in options})
    if name not in RIGS:
        message = f"unknown rig {name!r}; known: {', '.join(RIGS)}, or a rig's file (.toml)"
        raise CommandError(message)
    module, _, factory = RIGS[name].partition(":")
    make = getattr(import_module(module), factory)
    wanted = inspect.signature(make).parameters
    _require_options(name, options, wanted)
    if "seed" in wanted:
        options = {"seed": 0, **options}
    rig: Rig = make(**{key: value for key, value in options.items() if key in wanted})
    return rig


def switched_on(rig: Rig) -> AbstractContextManager[object]:
    """The context in which a rig can be used: its own, where it has something to begin and end."""
    return rig if isinstance(rig, AbstractContextManager) else nullcontext()


def _require_options(name: str, options: Collection[str], wanted: Collection[str]) -> None:
    """Raises where a rig is given an option that it does not have."""
    for key in options:
        if key not in wanted and key not in _OF_THE_TAKE:
            flag = _FLAGS.get(key, f"--{key}")
            way_out = "Set it in the file" if name.endswith(".toml") else "Leave it out"
            raise CommandError(f"rig {name}: has no option {flag}. {way_out}")
