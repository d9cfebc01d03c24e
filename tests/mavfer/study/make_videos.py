"""Small video files of every kind, whose frames spell their own number."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np


def picture_of(number, width=64, height=48):
    """RGB: 16 black or white bars spell the number; the upper left quarter is reddish."""
    bits = (number >> np.arange(16)) & 1
    bars = np.repeat(bits * 180 + 40, -(-width // 16))[:width]
    picture = np.broadcast_to(bars[None, :, None], (height, width, 3)).astype(np.uint8)
    picture[: height // 4, : width // 4] = (220, 30, 30)
    return picture


def number_of(picture):
    """The number that an upright picture spells, read in its lower half."""
    width = picture.shape[1] / 16
    columns = ((np.arange(16) + 0.5) * width).astype(int)
    gray = picture if picture.ndim == 2 else picture[..., 1]
    return int(((gray[picture.shape[0] * 3 // 4, columns] > 130) << np.arange(16)).sum())


def make_video(
    path,
    frames=24,
    *,
    codec="libx264",
    layout="yuv420p",
    size=(64, 48),
    pts=None,
    time_base=Fraction(1, 30),
    turn=None,
    flip=False,
    tone_seconds=0.0,
    tone_starts=0.0,
    audio_codec="aac",
    options=None,
    muxer=None,
    pictures=None,
    muxed_pts=None,
):
    """Writes a video.

    `turn` is the counter-clockwise display rotation in degrees; `muxed_pts` are stamps that take
    the place of the encoder's, which would not take wrong ones.
    """
    pts = list(range(frames)) if pts is None else pts
    with av.open(str(path), "w", options=muxer or {}) as container:
        stream = container.add_stream(codec, rate=30, options=options or {})
        encoder = stream.codec_context
        encoder.width, encoder.height, encoder.pix_fmt = *size, layout
        encoder.time_base = stream.time_base = time_base
        if turn is not None or flip:
            stream.set_display_rotation(turn or 0, hflip=flip)
        sound = container.add_stream(audio_codec, rate=48000) if tone_seconds else None
        if sound is not None:
            sound.codec_context.layout = "mono"
        for number, stamp in enumerate(pts):
            picture = picture_of(number, *size) if pictures is None else pictures[number]
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=layout)
            frame.pts, frame.time_base = stamp, time_base
            for packet in stream.encode(frame):
                if muxed_pts is not None:
                    packet.pts = packet.dts = muxed_pts[number]
                container.mux(packet)
        container.mux(stream.encode(None))
        if sound is not None:
            _add_tone(container, sound, tone_seconds, tone_starts)
    return path


def _add_tone(container, stream, seconds, starts):
    """A 1 kHz tone that begins `starts` seconds into the file."""
    rate = 48000
    wave = np.sin(2 * np.pi * 1000 * np.arange(int(seconds * rate)) / rate) * 0.5
    samples = (wave * 32767).astype(np.int16)
    for first in range(0, len(samples), 1024):
        block = samples[None, first : first + 1024]
        frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
        frame.rate, frame.pts = rate, first + int(starts * rate)
        frame.time_base = Fraction(1, rate)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def tone_begins(path):
    """Seconds from the first picture to the first loud sample of a file."""
    with av.open(str(path)) as container:
        picture = next(container.decode(video=0))
        first_picture = float(picture.pts * picture.time_base)
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            wave = frame.to_ndarray().astype(float)[0]
            loud = np.flatnonzero(np.abs(wave) > 0.2 * (32767 if wave.max() > 2 else 1))
            if len(loud):
                return float(frame.pts * frame.time_base) + loud[0] / frame.rate - first_picture
    return None
