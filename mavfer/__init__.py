"""mavfer: multimodal affect data sets, from camera to score.

    import mavfer
    ds = mavfer.load("my-study")

Extras and what each unlocks (`pip install 'mavfer[NAME]'`):
    record      cameras and the recorder            preprocess  sessions to shards
    models      the 68-point landmark model         annotate    the web annotator
    train       baselines                           demo        the simulated rig and the demo
    all         everything above
Reading shards needs none of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mavfer.dataset import Dataset, Recording, load
    from mavfer.errors import MavferError

__all__ = ["Dataset", "MavferError", "Recording", "__version__", "load"]

__version__ = "0.1.0"

_HOME = {
    "Dataset": "mavfer.dataset",
    "MavferError": "mavfer.errors",
    "Recording": "mavfer.dataset",
    "load": "mavfer.dataset",
}


def __getattr__(name: str) -> object:
    """Names are looked up on first use, so that importing mavfer costs next to nothing."""
    if name not in _HOME:
        message = f"module 'mavfer' has no attribute {name!r}"
        raise AttributeError(message)
    return getattr(import_module(_HOME[name]), name)
