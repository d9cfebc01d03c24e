"""What each way of writing color costs and keeps: CPU, bytes a minute, PSNR and SSIM, at 1080p.

The codecs take turns on the same frames, so that a busy machine is as hard on each; frames are the
simulated scene's, with the noise of a sensor. What comes back from color.mkv is compared with what
went in, on luma (what shapes are seen by) and on all three colors.

    python benchmarks/color_codecs.py [--frames 60] [--quick]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

import av
import cv2
import numpy as np
from record_throughput import RATES_HZ, SIZES, draw_frames
from skimage.metrics import structural_similarity

from mavfer.study.color_writer import COLOR_CODECS, ColorWriter
from mavfer.study.study import software_versions
from recording.jpeg import JpegEncoder

FRAMES, QUICK_FRAMES = 60, 20
SSIM_FRAMES = 3
NANOSECONDS = 1_000_000_000


class Lane:
    """One codec's file, and the CPU seconds of every frame."""

    def __init__(self, folder, codec):
        self.path = folder / f"{codec}.mkv"
        (width, height), self._rate_hz = SIZES["color"], RATES_HZ["color"]
        self._writer = ColorWriter(
            self.path, width=width, height=height, rate_hz=self._rate_hz, codec=codec
        )
        self._jpeg = JpegEncoder() if codec == "jpeg95" else None
        self._cpu_seconds = []

    def append(self, number, pixels):
        """Writes a frame as the recorder does."""
        host_ns = round(number * NANOSECONDS / self._rate_hz)
        begun = time.thread_time()
        if self._jpeg is None:
            self._writer.append(pixels, host_ns)
        else:
            self._writer.append_jpeg(self._jpeg.encode(pixels), host_ns)
        self._cpu_seconds.append(time.thread_time() - begun)

    def close(self):
        """CPU and bytes."""
        self._writer.close()
        seconds = len(self._cpu_seconds) / self._rate_hz
        return {
            "cpu_ms": 1e3 * float(np.median(self._cpu_seconds)),
            "mb_a_minute": self.path.stat().st_size / 1e6 / seconds * 60,
        }


def quality(path, order, pictures):
    """PSNR in dB and SSIM of what a file gives back."""
    errors, similar = {"luma": [], "rgb": []}, []
    with av.open(str(path)) as container:
        for frame, picture in zip(container.decode(video=0), order, strict=True):
            given, found = pictures[picture], frame.to_ndarray(format="rgb24")
            lumas = [cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) for pixels in (given, found)]
            errors["rgb"].append(np.mean((found.astype(np.int16) - given) ** 2.0))
            errors["luma"].append(np.mean((lumas[0].astype(np.int16) - lumas[1]) ** 2.0))
            if len(similar) < SSIM_FRAMES:
                similar.append(structural_similarity(*lumas))
    decibels = {
        f"psnr_{name}_db": 10 * float(np.log10(255**2 / max(np.mean(values), 1e-9)))
        for name, values in errors.items()
    }
    return {**decibels, "ssim_luma": float(np.mean(similar))}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, default=FRAMES, help="written by each codec")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK_FRAMES} frames")
    options = parser.parse_args()
    drawn = next(pictures for info, pictures in draw_frames() if info.stream == "color")
    turn = [*range(len(drawn)), *range(len(drawn) - 2, 0, -1)]
    count = QUICK_FRAMES if options.quick else options.frames
    order = [turn[number % len(turn)] for number in range(count)]
    values = {"frames": count}
    with tempfile.TemporaryDirectory() as folder:
        lanes = {codec: Lane(Path(folder), codec) for codec in COLOR_CODECS}
        for number, picture in enumerate(order):
            for lane in lanes.values():
                lane.append(number, drawn[picture])
        for codec, lane in lanes.items():
            measured = {**lane.close(), **quality(lane.path, order, drawn)}
            values |= {f"{codec}_{name}": value for name, value in measured.items()}
    ratios = {
        "jpeg95_cpu_h264": values["h264_cpu_ms"] / values["jpeg95_cpu_ms"],
        "jpeg95_bytes_h264": values["h264_mb_a_minute"] / values["jpeg95_mb_a_minute"],
    }
    result = {"benchmark": "color_codecs", "ratios": ratios, "values": values}
    print(
        json.dumps({**result, "versions": software_versions("av", "opencv-python", "simplejpeg")})
    )


if __name__ == "__main__":
    main()
