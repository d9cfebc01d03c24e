"""What the streams.h5 of a session that was archived says of the frames it was recorded with."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mavfer.streams import StreamName

__all__ = ["ArchiveNote", "ArchivedStream", "video_name"]


@dataclass(frozen=True)
class ArchivedStream:
    """Where the frames of one stream are, and how to tell that they are the same."""

    file: str
    """Name of the video, beside streams.h5."""
    codec: str
    pixel_format: str
    frames: int
    height: int
    width: int
    milliseconds_a_frame: int
    """Distance of the video's stamps, which give the order alone."""
    pixels_sha256: str
    """Over the counts of all frames, row after row, the low byte first."""
    file_sha256: str
    file_bytes: int
    packed_bytes: int
    """What the frames took in streams.h5; of a restored session, what they take now."""


@dataclass(frozen=True)
class ArchiveNote:
    """The attribute archive_json."""

    created_utc: str
    restored_utc: str | None
    """When the frames came back into streams.h5; None while they are beside it."""
    streams_fingerprint: str
    """`fingerprints.fingerprint_of` streams.h5 as it was with its pixels."""
    tables_sha256: str
    """`fingerprints.tables_sha256` of everything in it but pixels."""
    versions: dict[str, str]
    """Of the software that archived."""
    streams: dict[StreamName, ArchivedStream]

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> ArchiveNote:
        """The note that a checked attribute holds."""
        streams = {name: ArchivedStream(**entry) for name, entry in document["streams"].items()}
        return cls(**{**document, "streams": streams})

    def with_packed_bytes(self, packed: Mapping[StreamName, int]) -> ArchiveNote:
        """The note of a session whose frames take so many bytes in streams.h5 now."""
        streams = {
            name: replace(entry, packed_bytes=packed[name]) for name, entry in self.streams.items()
        }
        return replace(self, streams=streams)

    def to_document(self) -> dict[str, Any]:
        """The note as JSON says it."""
        return asdict(self)


def video_name(stream: StreamName) -> str:
    """Name of the video that holds the frames of `stream` in an archived session."""
    return f"{stream}.mkv"
