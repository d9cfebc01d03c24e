"""One session on disk: what was recorded, when each frame came, and the frames themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mavfer.errors import InvalidFile, NotFound
from mavfer.files import read_json, write_json
from mavfer.schema import require_valid
from mavfer.streams import STREAM_NAMES
from mavfer.study.streams_file import detail_names, open_streams, read_frame
from mavfer.study.study import utc_now
from mavfer.study.video_reader import ColorFrame, read_video

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from mavfer.streams import StreamName
    from mavfer.study.streams_file import Frames, StreamsFile

__all__ = ["Session", "write_session_document"]


@dataclass(frozen=True)
class Session:
    """One take of one subject; opening it reads session.json and nothing else."""

    folder: Path
    document: dict[str, Any]
    """Content of session.json."""

    @classmethod
    def open(cls, folder: Path) -> Session:
        """The session in `folder`.

        Raises:
            NotFound: There is no session.
            InvalidFile: session.json is torn, against its schema, or of another session.
        """
        path = folder / "session.json"
        if not path.is_file():
            message = f"{folder}: no session here (session.json is missing). See: mavfer info STUDY"
            raise NotFound(message)
        document = read_json(path)
        require_valid(document, "session", path)
        if document["session"] != folder.resolve().name:
            message = f"{path}: says session {document['session']}, its folder says {folder.name}"
            raise InvalidFile(message)
        return cls(folder, document)

    @property
    def name(self) -> str:
        """The session's id."""
        return str(self.document["session"])

    @property
    def subject(self) -> str:
        """The subject's code."""
        return str(self.document["subject"])

    @property
    def state(self) -> str:
        """How the take ended: recording, finished, recovered or damaged."""
        return str(self.document["state"])

    @property
    def streams(self) -> tuple[StreamName, ...]:
        """The streams that it has, color first."""
        return tuple(name for name in STREAM_NAMES if name in self.document["streams"])

    @property
    def calibration(self) -> str | None:
        """Name of the calibration in force; None where there is none."""
        name: str | None = self.document["calibration"]
        return name

    @property
    def size(self) -> tuple[int, int]:
        """Width and height of the upright color frames."""
        color = self.document["streams"]["color"]
        return color["width"], color["height"]

    @property
    def streams_path(self) -> Path:
        """File of the 16-bit frames and of all stamps."""
        return self.folder / "streams.h5"

    @property
    def color_path(self) -> Path:
        """File of the color frames."""
        return self.folder / "color.mkv"

    @property
    def truth_path(self) -> Path:
        """File of what is true of a simulated take; real takes have none."""
        return self.folder / "truth.h5"

    @property
    def pointer_path(self) -> Path:
        """File that says where somebody pointed at the subject; most sessions have none."""
        return self.folder / "subject.json"

    @property
    def sound_path(self) -> Path | None:
        """The file that holds the sound; None where there is none."""
        return self.color_path if self.document["streams"]["color"]["has_audio"] else None

    @property
    def is_archived(self) -> bool:
        """True where depth and thermal lie beside streams.h5, as video.

        Raises:
            NotFound, InvalidFile: streams.h5 is missing or torn.
        """
        with open_streams(self.streams_path) as file:
            return file.archive is not None

    def pointer(self) -> dict[str, Any] | None:
        """Where somebody pointed at the subject: `frame`, `x`, `y`, `width`; None where nobody did.

        Raises:
            InvalidFile: The file is torn, or against its schema.
        """
        if not self.pointer_path.is_file():
            return None
        document: dict[str, Any] = read_json(self.pointer_path)
        require_valid(document, "subject", self.pointer_path)
        return document

    def point_at(self, *, frame: int | None, x: float, y: float, width: float | None) -> None:
        """Keeps where the subject is, for this and all later runs of `mavfer preprocess`.

        Raises:
            InvalidFile: The place cannot be in the session's color frames.
        """
        columns, rows = self.size
        if not (0 <= x < columns and 0 <= y < rows):
            message = (
                f"session {self.name}: {x:g},{y:g} is not in its color frames of {columns}x{rows} "
                f"pixels"
            )
            raise InvalidFile(message)
        document = {
            "format": "mavfer.subject",
            "version": 1,
            "frame": frame,
            "x": x,
            "y": y,
            "width": width,
            "created_utc": utc_now(),
        }
        require_valid(document, "subject", self.pointer_path)
        write_json(self.pointer_path, document)

    def times(self, stream: StreamName) -> NDArray[Any]:
        """Stamps of all frames of `stream`, (T,) of the type `streams_file.TIMES`."""
        return self._table(f"/{stream}/times")

    def details(self, stream: StreamName) -> tuple[tuple[str, ...], NDArray[np.float64]]:
        """What the camera of `stream` said of each frame beside its stamps.

        Returns:
            Names with their units, and the numbers (T, names), NaN where it did not say. A camera
            that says no more than the stamps has no names and no columns.
        """
        with open_streams(self.streams_path) as file:
            names = detail_names(file, stream)
            if not names:
                return (), np.empty((len(self.times(stream)), 0))
            return names, file[f"/{stream}/details"][:]

    @property
    def drops(self) -> NDArray[Any]:
        """Frames that are missing, of the type `streams_file.DROPS`."""
        return self._table("/drops")

    @property
    def markers(self) -> NDArray[Any]:
        """Marks of stimuli, of the type `streams_file.MARKERS`."""
        return self._table("/markers")

    @property
    def events(self) -> NDArray[Any]:
        """What else happened, of the type `streams_file.EVENTS`."""
        return self._table("/events")

    def read(self, stream: StreamName, start: int, stop: int) -> NDArray[np.uint16]:
        """Raw counts (stop - start, H, W) of depth or thermal frames `start` up to `stop`."""
        with open_streams(self.streams_path) as file:
            frames = self._frames(file, stream)
            rows = range(*slice(start, stop).indices(frames.shape[0]))
            counts = np.empty((len(rows), *frames.shape[1:]), np.uint16)
            for place, row in enumerate(rows):
                counts[place] = read_frame(frames, row)
            return counts

    def depth_frames(self, indices: Sequence[int]) -> Iterator[NDArray[np.uint16]]:
        """Raw depth counts (H, W) at `indices`, one after the other."""
        return self.frames("depth", indices)

    def thermal_frames(self, indices: Sequence[int]) -> Iterator[NDArray[np.uint16]]:
        """Raw thermal counts (H, W) at `indices`, one after the other."""
        return self.frames("thermal", indices)

    def frames(self, stream: StreamName, indices: Sequence[int]) -> Iterator[NDArray[np.uint16]]:
        """Raw counts (H, W) of depth or thermal at `indices`; a repeated index is read once."""
        with open_streams(self.streams_path) as file:
            frames = self._frames(file, stream)
            shown, pixels = -1, np.empty(0, np.uint16)
            for index in indices:
                if index != shown:
                    shown, pixels = index, read_frame(frames, index)
                yield pixels

    def color_frames(self, *, first: int = 0) -> Iterator[ColorFrame]:
        """The color frames from `first` on, upright; frame i belongs to row i of `times("color")`.

        Raises:
            InvalidFile: The file holds fewer or more frames than there are stamps.
        """
        expected = len(self.times("color"))
        turn = self.document["streams"]["color"]["rotation_degrees"]
        count = first
        for frame in read_video(self.color_path, rotation_degrees=turn, first=first):
            if count == expected:
                break
            yield frame
            count += 1
        else:
            if count == expected:
                return
        found = f"{count} frames" if count < expected else f"more than {count} frames"
        message = (
            f"{self.color_path}: {found} for {expected} stamps. Run: mavfer audit {self.folder}"
        )
        raise InvalidFile(message)

    def _table(self, name: str) -> NDArray[Any]:
        with open_streams(self.streams_path) as file:
            if name not in file:
                message = f"{self.streams_path}: no {name}; session {self.name} lacks that stream"
                raise NotFound(message)
            rows: NDArray[Any] = file[name][:]
            return rows

    def _frames(self, file: StreamsFile, stream: StreamName) -> Frames:
        if not file.has_frames(stream):
            message = (
                f"{self.streams_path}: no /{stream}/frames; session {self.name} has no {stream} "
                f"there"
            )
            raise NotFound(message)
        return file.frames(stream)


def write_session_document(folder: Path, document: dict[str, Any]) -> None:
    """Writes session.json into `folder`, all of it or nothing.

    Raises:
        InvalidFile: The document is against its schema.
    """
    path = folder / "session.json"
    require_valid(document, "session", path)
    write_json(path, document)
