"""Rigs that a lab describes in a TOML file: reading it, finding what is connected, trying it out.

A rig's file names the camera of each stream, and how a take is written. This room may import every
camera and the recorder; it drives no hardware itself.
"""

from __future__ import annotations

from recording.rig.description import RigDescription, Storage, read_rig
from recording.rig.lab import LabRig
from recording.rig.probing import probe_cameras
from recording.rig.selftest import run_selftest

__all__ = ["LabRig", "RigDescription", "Storage", "probe_cameras", "read_rig", "run_selftest"]
