"""The product's GigE camera made of software, with pictures that tests know and with faults.

Run as a script it is the camera; `GigeServer` starts that script and gives it orders. Servers take
turns, because only one can live at an address.
"""

from __future__ import annotations

import ctypes
import sys
import time
from functools import cache

import numpy as np

from recording.simulated import serving_gige
from recording.simulated.serving_gige_camera import (
    ADDRESS,
    SERIAL,
    Picture,
    PlayingCamera,
    obey_orders,
)
from recording.simulated.serving_gige_features import FORMATS

__all__ = ["ADDRESS", "EXPOSURE_US", "HEIGHT", "SERIAL", "WIDTH", "GigeServer", "thermal_picture"]

WIDTH, HEIGHT = 160, 128
PICTURES = 16
EXPOSURE_US = 8_000
FORMAT_REGISTER, PRIVILEGE_REGISTER = 0x128, 0xA00


def thermal_picture(number, width=WIDTH, height=HEIGHT):
    """Frame `number`, uint16 (H, W) counts of 0.04 K: a warm face that nods, noise, a counter."""
    picture = face_picture(number % PICTURES, width, height).copy()
    picture[0, 0] = number
    return picture


@cache
def face_picture(phase, width, height):
    """The face at one of the moments of its nod."""
    rng = np.random.default_rng(phase)
    rows, columns = np.mgrid[:height, :width]
    middle = height * (0.5 + 0.05 * np.sin(phase / PICTURES * 2 * np.pi))
    distance = ((rows - middle) / (0.4 * height)) ** 2 + (
        (columns - width / 2) / (0.25 * width)
    ) ** 2
    kelvin = 296.0 + 11.0 / (1 + np.exp(8 * (distance - 1)))
    return ((kelvin + rng.normal(0, 0.05, (height, width))) / 0.04).astype(np.uint16)


class GigeServer(serving_gige.GigeServer):
    """The camera in a process of its own; a context."""

    command = (sys.executable, __file__)
    patience_seconds = 300.0

    def start(self, **options):
        """Switches the camera on, or sets one that is on to its first state.

        Options: rate_hz, width, height, ticks_hz, first_ticks (the clock at the start), first_block
        (block id of frame 0), lost (share of packets), frames (after which it stands still),
        registers (features by their names). Frame i is then `thermal_picture(i)`.
        """
        self.switch_on()
        self.tell(set_up=options)


class FaultyCamera(PlayingCamera):
    """Sends a take like its parent, or pictures without end that say their own number."""

    def __init__(self):
        super().__init__()
        self.options = None

    def begin_anew(self, options):
        """The state of a camera that was just switched on."""
        self.options = options
        self.next_block = options.get("first_block", 65_401)
        self.own_ticks_hz = options.get("ticks_hz", 1_000_000)
        self.started = time.monotonic()
        self.size = (options.get("width", WIDTH), options.get("height", HEIGHT))
        self.set_up(
            size=self.size,
            rate_hz=options.get("rate_hz", 100.0),
            exposure_us=EXPOSURE_US,
            ticks_hz=self.own_ticks_hz,
            registers=options.get("registers"),
        )
        self.set_names("Aravis", "Fake")
        self.lose(options.get("lost", 0.0))

    def lose(self, share):
        """Loses this share of the packets that it sends, the same ones each time."""
        ctypes.CDLL("libglib-2.0.so.0").g_random_set_seed(ctypes.c_uint32(1))
        self.lib.g_object_set(
            ctypes.c_void_p(self.server),
            b"gvsp-lost-ratio",
            ctypes.c_double(share),
            ctypes.c_void_p(None),
        )

    def skip(self, blocks):
        """Counts blocks that it never sends."""
        self.next_block += blocks

    def set_features(self, values):
        for name, value in values.items():
            self.set_feature(name, value)

    def next_picture(self):
        """The next frame; where a take is played the one that is due."""
        if self.options is None:
            return super().next_picture()
        number = len(self.block_ids)
        shown = 0 if self.feature("NUCActive") else number
        ticks = round((time.monotonic() - self.started) * self.own_ticks_hz)
        block_id, self.next_block = self.next_block, self.next_block % 65_535 + 1
        if number + 1 == self.options.get("frames"):
            self.stand_still(True)
        first_ticks = self.options.get("first_ticks", 0)
        return Picture(thermal_picture(shown, *self.size), block_id, first_ticks + ticks)

    def obey(self, order):
        """Does what `GigeServer.tell` asks."""
        if "play" in order:
            self.options = None
        actions = {
            "set_up": self.begin_anew,
            "lose": self.lose,
            "stands_still": self.stand_still,
            "skip": self.skip,
            "release": lambda _: self.write(PRIVILEGE_REGISTER, 0),
            "pixel_format": lambda name: self.write(FORMAT_REGISTER, FORMATS[name]),
            "registers": self.set_features,
        }
        for name in actions.keys() & order:
            actions[name](order[name])
        return super().obey(order)


if __name__ == "__main__":
    obey_orders(FaultyCamera)
