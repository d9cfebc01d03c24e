"""A GigE Vision camera on this machine: Aravis's own, with our pictures and an Ax5's features.

Run as a script it is the camera; `GigeServer` starts that script and gives it orders. The camera
speaks real GVCP and GVSP over UDP. Only one can live at an address: servers take turns by a lock.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import signal
import struct
import subprocess
import sys
import tempfile
import time
from functools import cache
from pathlib import Path

import numpy as np

ADDRESS = "127.0.0.1"
SERIAL = "AX5-0001"
WIDTH, HEIGHT = 160, 128
PICTURES = 16
FORMATS = {"Mono16": 0x01100007, "Mono14": 0x01100025, "Mono14p": 0x010E0104}

# Registers of Aravis's fake camera, and ours in the part of its memory that it leaves alone.
WIDTH_REGISTER, HEIGHT_REGISTER, FORMAT_REGISTER = 0x100, 0x104, 0x128
PERIOD_REGISTER, EXPOSURE_REGISTER = 0x138, 0x120
TRIGGER_REGISTER, ACQUISITION_REGISTER = 0x300, 0x124
TICKS_HIGH_REGISTER, TICKS_LOW_REGISTER = 0x93C, 0x940
PRIVILEGE_REGISTER = 0xA00
OURS = 0xE000

EXPOSURE_US = 8_000


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


def pack_14_bits(counts):
    """Bytes in which pixels of 14 bits follow each other, lowest bit first."""
    bits = (counts.reshape(-1, 1) >> np.arange(14)) & 1
    return np.packbits(bits.astype(np.uint8).reshape(-1), bitorder="little").tobytes()


class GigeServer:
    """The camera in a process of its own; a context."""

    def __init__(self):
        self.process = None

    def __enter__(self):
        self.lock = (Path(tempfile.gettempdir()) / "mavfer-gige-server.lock").open("w")
        fcntl.flock(self.lock, fcntl.LOCK_EX)
        self.start()
        return self

    def __exit__(self, *_):
        self.kill()
        self.lock.close()

    def start(self, **options):
        """Switches the camera on, or sets one that is on to its first state.

        Options: rate_hz, width, height, ticks_hz, first_ticks (the clock at the start), first_block
        (block id of frame 0), lost (share of packets), frames (after which it stands still),
        registers (by the names of `FEATURES`).
        """
        if self.process is None:
            self.process = subprocess.Popen(
                [sys.executable, __file__],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
        self.tell(set_up=options)

    def tell(self, **order):
        """Gives an order, and waits until the camera has answered; returns what it said."""
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def sent(self):
        """Block ids of the frames that were sent, in order; frame i is `thermal_picture(i)`."""
        return self.tell(sent=True)

    def kill(self):
        """Pulls the cable."""
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.communicate()
            self.process = None


class FakeCamera:
    """Aravis's fake camera by ctypes: setting its picture through PyGObject has no effect."""

    def __init__(self, folder):
        self.lib = library()
        xml = folder / "camera.xml"
        xml.write_text(camera_xml(self.lib))
        self.server = self.lib.arv_gv_fake_camera_new_full(
            ADDRESS.encode(), SERIAL.encode(), str(xml).encode()
        )
        assert self.lib.arv_gv_fake_camera_is_running(self.server), "the address is in use"
        self.camera = self.lib.arv_gv_fake_camera_get_fake_camera(self.server)
        self.fill_pattern = FILL_PATTERN(self.fill)

    def set_up(self, options):
        """The state of a camera that was just switched on."""
        self.options, self.block_ids = options, []
        self.next_block = options.get("first_block", 65_401)
        self.ticks_hz = options.get("ticks_hz", 1_000_000)
        self.started = time.monotonic()
        width, height = options.get("width", WIDTH), options.get("height", HEIGHT)
        self.width, self.height = width, height
        for address, value in {
            PRIVILEGE_REGISTER: 0,
            ACQUISITION_REGISTER: 0,
            FORMAT_REGISTER: FORMATS["Mono16"],
            WIDTH_REGISTER: width,
            HEIGHT_REGISTER: height,
            PERIOD_REGISTER: round(1e6 / options.get("rate_hz", 100.0)),
            EXPOSURE_REGISTER: EXPOSURE_US,
            TRIGGER_REGISTER: 0,
            TICKS_HIGH_REGISTER: 0,
            TICKS_LOW_REGISTER: self.ticks_hz,
        }.items():
            self.write(address, value)
        for name, value in {**REGISTERS, **options.get("registers", {})}.items():
            self.set_register(name, value)
        self.lose(options.get("lost", 0.0))
        self.lib.arv_fake_camera_set_fill_pattern(self.camera, self.fill_pattern, None)

    def lose(self, share):
        """Loses this share of the packets that it sends, the same ones each time."""
        ctypes.CDLL("libglib-2.0.so.0").g_random_set_seed(ctypes.c_uint32(1))
        self.lib.g_object_set(
            ctypes.c_void_p(self.server),
            b"gvsp-lost-ratio",
            ctypes.c_double(share),
            ctypes.c_void_p(None),
        )

    def write(self, address, value):
        self.lib.arv_fake_camera_write_register(self.camera, address, value)

    def set_register(self, name, value):
        """Sets one of our own registers."""
        code = ">f" if isinstance(value, float) else ">I"
        data = struct.pack(code, value)
        self.lib.arv_fake_camera_write_memory(self.camera, address_of(name), len(data), data)

    def register(self, name):
        value = ctypes.c_uint32()
        self.lib.arv_fake_camera_read_register(self.camera, address_of(name), ctypes.byref(value))
        return value.value

    def fill(self, buffer, _data, _exposure, _gain, pixel_format):
        """Draws the next frame into the buffer that is about to be sent, and stamps it."""
        number = len(self.block_ids)
        shown = 0 if self.register("NUCActive") else number
        picture = thermal_picture(shown, self.width, self.height)
        is_packed = pixel_format == FORMATS["Mono14p"]
        data = pack_14_bits(picture) if is_packed else picture.tobytes()
        ctypes.memmove(self.lib.arv_buffer_get_data(buffer, None), data, len(data))
        passed = round((time.monotonic() - self.started) * self.ticks_hz)
        ticks = (self.options.get("first_ticks", 0) + passed) % (1 << 32)
        self.lib.arv_buffer_set_timestamp(buffer, ticks)
        self.lib.arv_buffer_set_frame_id(buffer, self.next_block)
        self.block_ids.append(self.next_block)
        self.next_block = self.next_block % 65_535 + 1
        if len(self.block_ids) == self.options.get("frames"):
            self.write(TRIGGER_REGISTER, 1)

    def obey(self, order):
        """Does what `GigeServer.tell` asks."""
        if "set_up" in order:
            self.set_up(order["set_up"])
        if "skip" in order:
            self.next_block += order["skip"]
        if "stands_still" in order:
            self.write(TRIGGER_REGISTER, int(order["stands_still"]))
        if "release" in order:
            self.write(PRIVILEGE_REGISTER, 0)
        if "pixel_format" in order:
            self.write(FORMAT_REGISTER, FORMATS[order["pixel_format"]])
        for name, value in order.get("registers", {}).items():
            self.set_register(name, value)
        return self.block_ids if "sent" in order else None


FILL_PATTERN = ctypes.CFUNCTYPE(
    None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint32, ctypes.c_uint32, ctypes.c_uint32
)

# What an Ax5 offers beyond the standard: enumerations by their entries, numbers by their kind.
FEATURES = {
    "TemperatureLinearMode": ("Off", "On"),
    "TemperatureLinearResolution": ("Low", "High"),
    "CMOSBitDepth": ("bit14bit", "bit8bit"),
    "NUCMode": ("Manual", "Automatic"),
    "SensorGainMode": ("HighGainMode", "LowGainMode"),
    "R": float,
    "B": float,
    "F": float,
    "O": float,
    "ObjectEmissivity": float,
    "DeviceTemperature": float,
    "NUCActive": int,
    "NUCAction": "command",
}
READ_ONLY = ("R", "B", "F", "O", "DeviceTemperature", "NUCActive")
REGISTERS = {
    **{name: 0 for name, kind in FEATURES.items() if kind is not float},
    "CMOSBitDepth": 1,
    "NUCMode": 1,
    "R": 366545.0,
    "B": 1428.0,
    "F": 1.0,
    "O": -342.0,
    "ObjectEmissivity": 0.95,
    "DeviceTemperature": 31.5,
}


def address_of(name):
    """The register of one of our features."""
    return OURS + 4 * list(FEATURES).index(name)


def camera_xml(lib):
    """The fake's description with our features and pixel formats added."""
    fake = lib.arv_fake_camera_new(b"TEMPLATE")
    xml = lib.arv_fake_camera_get_genicam_xml(fake, None).decode()
    entries = "".join(enum_entry(name, code) for name, code in FORMATS.items() if name != "Mono16")
    xml = xml.replace("<pValue>PixelFormatRegister", f"{entries}<pValue>PixelFormatRegister")
    names = "".join(f"<pFeature>{name}</pFeature>" for name in FEATURES)
    category = f'<Category Name="ThermalControl">{names}</Category>'
    nodes = "".join(feature_xml(name, kind) for name, kind in FEATURES.items())
    xml = xml.replace("<pFeature>Debug<", "<pFeature>ThermalControl</pFeature><pFeature>Debug<")
    return xml.replace("</RegisterDescription>", f"{category}{nodes}</RegisterDescription>")


def enum_entry(name, value):
    return f'<EnumEntry Name="{name}"><Value>{value}</Value></EnumEntry>'


def feature_xml(name, kind):
    """A feature that lives in a register of the camera."""
    pointer = f"<pValue>{name}Register</pValue>"
    if kind is float:
        feature = f'<Float Name="{name}">{pointer}</Float>'
    elif kind is int:
        feature = f'<Integer Name="{name}">{pointer}</Integer>'
    elif kind == "command":
        feature = f'<Command Name="{name}">{pointer}<CommandValue>1</CommandValue></Command>'
    else:
        entries = "".join(enum_entry(entry, number) for number, entry in enumerate(kind))
        feature = f'<Enumeration Name="{name}">{entries}{pointer}</Enumeration>'
    tag = "FloatReg" if kind is float else "IntReg"
    mode = "RO" if name in READ_ONLY else "RW"
    sign = "" if kind is float else "<Sign>Unsigned</Sign>"
    return (
        f'{feature}<{tag} Name="{name}Register"><Address>{address_of(name)}</Address>'
        f"<Length>4</Length><AccessMode>{mode}</AccessMode><pPort>Device</pPort>{sign}"
        f"<Endianess>BigEndian</Endianess></{tag}>"
    )


def library():
    """Aravis's C library with the types of what we call."""
    lib = ctypes.CDLL("libaravis-0.8.so.0")
    pointer, text, u32, u64 = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_uint32, ctypes.c_uint64
    for name, result, arguments in (
        ("arv_fake_camera_new", pointer, [text]),
        ("arv_fake_camera_get_genicam_xml", text, [pointer, pointer]),
        ("arv_gv_fake_camera_new_full", pointer, [text, text, text]),
        ("arv_gv_fake_camera_is_running", ctypes.c_int, [pointer]),
        ("arv_gv_fake_camera_get_fake_camera", pointer, [pointer]),
        ("arv_fake_camera_set_fill_pattern", None, [pointer, FILL_PATTERN, pointer]),
        ("arv_fake_camera_write_register", ctypes.c_int, [pointer, u32, u32]),
        ("arv_fake_camera_read_register", ctypes.c_int, [pointer, u32, pointer]),
        ("arv_fake_camera_write_memory", ctypes.c_int, [pointer, u32, u32, text]),
        ("arv_buffer_get_data", pointer, [pointer, pointer]),
        ("arv_buffer_set_frame_id", None, [pointer, u64]),
        ("arv_buffer_set_timestamp", None, [pointer, u64]),
    ):
        function = getattr(lib, name)
        function.restype, function.argtypes = result, arguments
    return lib


def main():
    with tempfile.TemporaryDirectory() as folder:
        camera = FakeCamera(Path(folder))
    for line in sys.stdin:
        print(json.dumps(camera.obey(json.loads(line))), flush=True)
    os._exit(0)  # Aravis's thread is still running


if __name__ == "__main__":
    main()
