"""What the device check found out, as far as it is kept."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from mavfer.files import read_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from annotator_web.project import Project

__all__ = ["device_details", "has_sound"]

_MOST_BYTES: Final = 4_096
_KEPT: Final[dict[str, tuple[type, ...]]] = {
    "video": (str,),
    "frames": (int,),
    "seconds": (int, float),
    "time_source": (str,),
    "storage": (str,),
    "sound": (str,),
    "gamepad": (str, type(None)),
    "hand": (list,),
    "browser": (str,),
    "screen": (list,),
    "pixel_ratio": (int, float),
}
_GOOD_ENOUGH: Final = ("good", "slow")


def device_details(text: str) -> dict[str, Any] | None:
    """What is kept of a check; None where it is none, or where faces could not be rated.

    Args:
        text: JSON as static/device.js writes it.
    """
    try:
        found = json.loads(text) if len(text) <= _MOST_BYTES else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict):
        return None
    if found.get("video") not in _GOOD_ENOUGH or found.get("storage") != "good":
        return None
    return {
        name: found[name]
        for name, kind in _KEPT.items()
        if name in found and isinstance(found[name], kind)
    }


def has_sound(project: Project, sessions: Iterable[str]) -> bool:
    """Whether any of the sessions can be heard."""
    paths = (project.study.media_table_path(session) for session in sessions)
    return any(bool(read_json(path)["has_audio"]) for path in paths)
