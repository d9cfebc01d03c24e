"""What a shard says about itself besides its frames."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from mavfer.study.pixels import FORMULA
from mavfer.study.study import software_versions, utc_now

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mavfer.study.pixels import Profile

__all__ = ["ShardHeader"]


@dataclass(frozen=True)
class ShardHeader:
    """What a shard says about itself besides its frames."""

    session: str
    subject: str
    kind: Literal["video", "stills", "simulated"]
    alignment: str
    """Preset of the crops."""
    inputs_sha256: str
    """What the shard was made from and how."""
    landmark_model_sha256: str = ""
    """Empty where no model was used."""
    configuration: Mapping[str, Any] = field(default_factory=dict)
    """Every option in force."""
    inputs: Mapping[str, str] = field(default_factory=dict)
    """SHA-256 of every file read."""
    synchronisation: Mapping[str, Any] = field(default_factory=dict)
    """Clock fits and pairing of each stream."""
    placements: Mapping[str, Any] = field(default_factory=dict)
    """Where streams lie that have no calibration, by stream."""
    tracks: list[dict[str, Any]] = field(default_factory=list)
    """Stretches in which a face was followed."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """The session's settings."""
    calibration: Mapping[str, Any] | None = None
    """The calibration in force."""
    packages: tuple[str, ...] = ()
    """Packages besides mavfer's own whose versions are recorded."""
    profile: Profile = "fast"
    group_size: int = 8
    """Frames a group."""

    def attributes(self) -> dict[str, Any]:
        """Attributes of the file, all but the number of frames."""
        return {
            "format": "mavfer.shard",
            "version": 1,
            "session": self.session,
            "subject": self.subject,
            "kind": self.kind,
            "group_size": self.group_size,
            "profile": self.profile,
            "formula": FORMULA,
            "color_unit": "RGB",
            "depth_unit": "millimetre",
            "thermal_unit": "centikelvin",
            "alignment": self.alignment,
            "landmark_model_sha256": self.landmark_model_sha256,
            "inputs_sha256": self.inputs_sha256,
            "created_utc": utc_now(),
        }

    def documents(self) -> dict[str, Any]:
        """JSON documents by name."""
        return {
            "configuration": dict(self.configuration),
            "inputs": dict(self.inputs),
            "synchronisation": dict(self.synchronisation),
            **({"placements": dict(self.placements)} if self.placements else {}),
            "tracks": self.tracks,
            "settings": dict(self.settings),
            "calibration": None if self.calibration is None else dict(self.calibration),
            "versions": software_versions(*self.packages),
        }
