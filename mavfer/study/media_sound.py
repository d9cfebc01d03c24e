"""The sound of a session's color.mkv, as AAC in step with the pictures of its media file."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from mavfer.errors import require
from mavfer.study.video_reader import open_video, picture_stream

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction
    from pathlib import Path

__all__ = ["sound_packets"]

_AAC_RATES_HZ: Final = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_BITS_PER_SECOND_A_CHANNEL: Final = 64_000
_FILLED: Final = "async=1:first_pts=0"
"""Silence where samples are missing, so that later sound stays in step; starts at time 0."""


def sound_packets(container: Any, source: Path) -> Iterator[Any]:
    """AAC packets for `container`, to be muxed between the pictures, in the order of their times.

    Time 0 is the first picture of `source`: sound before it is cut, missing sound is silence.
    The stream is added to `container` before the first packet is asked for.

    Args:
        container: PyAV's output, before its header is written.
        source: The session's color.mkv; without sound in it there are no packets.
    """
    with open_video(source) as probe:
        if not probe.streams.audio:
            return iter(())
        sound = probe.streams.audio[0].codec_context
        rate = sound.sample_rate if sound.sample_rate in _AAC_RATES_HZ else _AAC_RATES_HZ[-1]
        layout = "mono" if sound.layout.nb_channels == 1 else "stereo"
    output = container.add_stream("aac", rate=rate, layout=layout)
    output.codec_context.bit_rate = _BITS_PER_SECOND_A_CHANNEL * (1 if layout == "mono" else 2)
    output.codec_context.thread_count = 1
    return _encoded(output, source)


def _encoded(output: Any, source: Path) -> Iterator[Any]:
    first_picture = _first_picture_seconds(source)
    with open_video(source) as container:
        stream = container.streams.audio[0]
        stream.codec_context.thread_count = 1
        for frame in _in_step(container, stream, first_picture, output.codec_context):
            yield from output.encode(frame)
    yield from output.encode(None)


def _first_picture_seconds(source: Path) -> Fraction:
    """Time of the first picture on the clock that `source` shares between picture and sound."""
    with open_video(source) as container:
        frame = next(container.decode(picture_stream(container, source)))
        first: Fraction = frame.pts * frame.time_base
        return first


def _in_step(container: Any, stream: Any, first_picture: Fraction, encoder: Any) -> Iterator[Any]:
    """Decoded sound, moved so that 0 is the first picture, without holes."""
    av = require("av", "preprocess")
    frames = _decoded(av, container, stream)
    first = next(frames, None)
    if first is None:
        return
    graph, source, sink = _filter_graph(av, first, stream.time_base, encoder)
    for frame in chain([first], frames):
        frame.pts = round((frame.pts * frame.time_base - first_picture) / stream.time_base)
        frame.time_base = stream.time_base
        source.push(frame)
        yield from _pulled(av, sink)
    source.push(None)
    yield from _pulled(av, sink)
    del graph  # the nodes live as long as their graph


def _decoded(av: Any, container: Any, stream: Any) -> Iterator[Any]:
    """Frames with a time; a packet that the decoder refuses becomes silence further on."""
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except av.error.InvalidDataError:
            continue
        yield from (frame for frame in frames if frame.pts is not None)


def _filter_graph(av: Any, first: Any, time_base: Fraction, encoder: Any) -> tuple[Any, Any, Any]:
    """The graph for sound like the frame `first`; what a file declares may differ from it."""
    graph = av.filter.Graph()
    source = graph.add_abuffer(
        sample_rate=first.sample_rate,
        format=first.format.name,
        layout=first.layout.name,
        time_base=time_base,
    )
    filler = graph.add("aresample", f"{encoder.sample_rate}:{_FILLED}")
    wanted = f"sample_fmts=fltp:channel_layouts={encoder.layout.name}"
    form = graph.add("aformat", f"{wanted}:sample_rates={encoder.sample_rate}")
    sink = graph.add("abuffersink")
    graph.link_nodes(source, filler, form, sink)
    graph.configure()
    return graph, source, sink


def _pulled(av: Any, sink: Any) -> Iterator[Any]:
    while True:
        try:
            yield sink.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return
