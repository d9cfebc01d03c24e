"""Archives a streams.h5 alone, without a session around it."""

from __future__ import annotations

import numpy as np

from mavfer.study.archive_note import ArchivedStream, ArchiveNote
from mavfer.study.counts_video import CountsVideoWriter, checksum_of
from mavfer.study.fingerprints import fingerprint_of, pixels_sha256, tables_sha256
from mavfer.study.streams_file import open_streams, read_frame
from mavfer.study.streams_writer import copy_without_frames


def archive_by_hand(path):
    """Moves the frames of depth and thermal in the file at `path` beside it."""
    entries, checksums = {}, {}
    with open_streams(path) as file:
        for stream in ("depth", "thermal"):
            frames = file.frames(stream)
            count, height, width = frames.shape
            video = file.video_path(stream)
            size = {"height": height, "width": width, "milliseconds_a_frame": 33}
            with CountsVideoWriter(video, **size) as writer:
                for row in range(count):
                    writer.append(read_frame(frames, row))
            entries[stream] = ArchivedStream(
                file=video.name,
                codec="ffv1",
                pixel_format="gray16le",
                frames=count,
                pixels_sha256=pixels_sha256(frames),
                file_sha256="0" * 64,
                file_bytes=video.stat().st_size,
                packed_bytes=file.packed_bytes(stream),
                **size,
            )
            sums = [checksum_of(read_frame(frames, row)) for row in range(count)]
            checksums[stream] = np.array(sums, np.uint32)
        note = ArchiveNote(
            created_utc="2026-01-31T12:00:00Z",
            restored_utc=None,
            streams_fingerprint=fingerprint_of(path),
            tables_sha256=tables_sha256(file),
            versions={},
            streams=entries,
        )
        part = path.with_name("part")
        copy_without_frames(file, part, note, checksums)
    part.replace(path)
