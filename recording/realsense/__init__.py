"""Intel RealSense cameras: live, or from files that the SDK recorded.

One device gives several streams; `RealSenseDevice` opens it once, and a `RealSenseCamera` for each
stream reads from it behind the interface of every camera. It may import `recording.camera` and the
SDK (pyrealsense2, imported when something is opened); it never writes a file.
"""

from __future__ import annotations

from recording.realsense.camera import RealSenseCamera
from recording.realsense.device import RealSenseDevice
from recording.realsense.listing import DeviceDescription, connected_devices
from recording.realsense.profiles import StreamRequest
from recording.realsense.rig import RealSenseRig
from recording.realsense.sources import LiveDevice, RecordedFile

__all__ = [
    "DeviceDescription",
    "LiveDevice",
    "RealSenseCamera",
    "RealSenseDevice",
    "RealSenseRig",
    "RecordedFile",
    "StreamRequest",
    "connected_devices",
]
