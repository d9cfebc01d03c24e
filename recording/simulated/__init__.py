"""A rig without hardware: a portrait that moves, seen by three imperfect cameras.

It may import mavfer and the camera interface; numba, OpenCV and scikit-image only when used. It
never writes files and never claims anything about real people: all subjects are one photograph.
`serving`, which nothing here imports, sends its frames through the libraries of real cameras.
"""

from __future__ import annotations

from recording.simulated.lighting import LightingName
from recording.simulated.rig import Pace, SimulatedRig
from recording.simulated.truth import Latents, StreamTruth, Truth

__all__ = ["Latents", "LightingName", "Pace", "SimulatedRig", "StreamTruth", "Truth"]
