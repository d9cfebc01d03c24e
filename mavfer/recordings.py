"""One session as it is used: lazy pixels, columns and labels under their names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from mavfer.errors import NotFound
from mavfer.lazy_frames import Frames, ViewedFrames
from mavfer.streams import STREAMS, StreamName
from mavfer.study.labels import LabelTable, empty_label, read_label
from mavfer.study.ratings import rating_at, read_latest_rating
from mavfer.study.shards import CARRIED, VALID_BITS, Shard, usable_rows
from mavfer.views import VIEWS, ViewName, nose_places

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from mavfer.study.study import Study

__all__ = ["RATER_PREFIX", "Frames", "Recording"]

RATER_PREFIX = "rater:"
"""Begins the name of a label that is one rater's own trace."""


class Recording:
    """One session of a study: streams, what was measured per frame, and its label.

    May be pickled; what was read is then left behind and read again.
    """

    def __init__(
        self,
        study: Study,
        line: dict[str, Any],
        *,
        modalities: Sequence[StreamName],
        labels: str | None,
        dimensions: Sequence[str],
    ) -> None:
        self.session: str = line["session"]
        self.subject: str = line["subject"]
        self.kind: str = line["kind"]
        self.info = line
        """The session's line of the shard index: seconds, rate_hz, settings, …."""
        self.modalities = tuple(modalities)
        self.dimensions = tuple(dimensions)
        self.shard = Shard(study.shards_folder / line["file"])
        self._study = study
        self._labels = labels
        self._label: LabelTable | None = None
        self._columns: dict[str, NDArray[Any]] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_label": None, "_columns": {}}

    def __len__(self) -> int:
        return int(self.info["frames"])

    def __repr__(self) -> str:
        streams = ", ".join(self.info["streams"])
        rate = "stills" if self.kind == "stills" else f"{self.info['seconds']:.1f} s"
        height, width = self.crop_size
        return f"<Recording {self.session}: {len(self)} frames, {rate}, {streams} {height}x{width}>"

    # Pixels.

    @property
    def crop_size(self) -> tuple[int, int]:
        """Rows and columns of a frame."""
        color = self.info["streams"]["color"]
        return color["height"], color["width"]

    @property
    def color(self) -> Frames:
        """RGB, uint8 (T, H, W, 3)."""
        return self.stream("color")

    @property
    def depth(self) -> Frames:
        """Millimetres in the color camera's frame, uint16 (T, H, W); 0 = no data."""
        return self.stream("depth")

    @property
    def thermal(self) -> Frames:
        """Centikelvin, uint16 (T, H, W); 0 = no data."""
        return self.stream("thermal")

    def stream(self, name: StreamName) -> Frames:
        """The frames of a stream by its name."""
        is_there = name in self.info["streams"]
        return Frames(self.shard, name, len(self), self.crop_size, is_there)

    # Views: computed, beside the raw pixels.

    @property
    def depth_mm(self) -> ViewedFrames:
        """Depth in millimetres, float32 (T, H, W), NaN where nothing was measured."""
        return self.view("depth_mm")

    @property
    def depth_relative(self) -> ViewedFrames:
        """Millimetres behind the plane through the nose that faces the camera, float32 (T, H, W).

        The nose's depth is the median in a window around its tip, frame by frame; ours.
        """
        return self.view("depth_relative")

    @property
    def thermal_celsius(self) -> ViewedFrames:
        """Degrees Celsius, float32 (T, H, W), NaN where nothing was measured."""
        return self.view("thermal_celsius")

    def view(self, name: ViewName) -> ViewedFrames:
        """A view by its name."""
        return ViewedFrames(name, self.stream(VIEWS[name].stream), self._nose_places)

    def _nose_places(self) -> NDArray[np.float32]:
        if "noses" not in self._columns:
            self._columns["noses"] = nose_places(self.landmarks, self.crop_matrix)
        return self._columns["noses"]

    # Per frame, as measured.

    @property
    def valid(self) -> dict[StreamName, NDArray[np.bool_]]:
        """Per stream, where its frames can be used (T,)."""
        bits = self.shard.valid
        return {name: (bits & VALID_BITS[name]) != 0 for name in STREAMS}

    @property
    def usable(self) -> NDArray[np.bool_]:
        """Where the face was found, or carried by depth (T,)."""
        return usable_rows(self.shard.valid)

    @property
    def carried(self) -> NDArray[np.bool_]:
        """Where the head was carried by depth (T,)."""
        return (self.shard.valid & CARRIED).astype(bool)

    @property
    def time_seconds(self) -> NDArray[np.float64]:
        """Seconds since the first frame (T,)."""
        return self.shard.time_seconds

    @property
    def host_ns(self) -> NDArray[np.int64]:
        """Time of exposure on the host's monotonic clock, nanoseconds (T,)."""
        return self.column("host_ns")

    @property
    def landmarks(self) -> NDArray[np.float32]:
        """Smoothed landmarks (T, 68, 2) in source pixels, NaN where none."""
        return self.column("landmarks")

    @property
    def crop_matrix(self) -> NDArray[np.float64]:
        """Affine matrices (T, 2, 3) from source pixels to crop pixels."""
        return self.column("crop_matrix")

    def column(self, name: str) -> NDArray[Any]:
        """Any column of the shard's `/frames` by its name (docs/formats.md, 'shard')."""
        if name not in self._columns:
            self._columns[name] = self.shard.column(name)
        return self._columns[name]

    # Labels.

    @property
    def arousal(self) -> NDArray[np.float32]:
        """Label of the dimension arousal (T,), NaN where there is none."""
        return self.label("arousal")

    @property
    def valence(self) -> NDArray[np.float32]:
        """Label of the dimension valence (T,), NaN where there is none."""
        return self.label("valence")

    @property
    def expression(self) -> NDArray[np.int64]:
        """Index into the study's expression classes (T,), -1 where there is none."""
        return self._label_table().expression

    @property
    def label_valid(self) -> NDArray[np.bool_]:
        """Where every dimension of the study has a value (T,)."""
        values = self._label_table().values
        is_rated = np.ones(len(self), bool)
        for column in values.values():
            is_rated &= np.isfinite(column)
        return is_rated

    def label(self, dimension: str) -> NDArray[np.float32]:
        """Label of one dimension (T,), NaN where there is none.

        Raises:
            NotFound: The study was loaded without labels.
            InvalidFile: The label does not fit the shard's frames.
        """
        table = self._label_table()
        if dimension not in table.values:
            return np.full(len(self), np.nan, np.float32)
        return table.values[dimension]

    # Looking.

    def show(self, frame: int, *, landmarks: bool = False) -> Figure:
        """The streams of one frame side by side, with what is known about it.

        The figure shows itself in notebooks; elsewhere save it: `rec.show(17).savefig("17.png")`.

        Args:
            frame: Its number; negative numbers count from the end.
            landmarks: Draw the landmarks.

        Raises:
            IndexError: There is no such frame.
            MissingExtra: matplotlib is not installed.
        """
        from mavfer.looking import show_frame

        return show_frame(self, self._labels, frame, landmarks=landmarks)

    def plot(self) -> Figure:
        """Labels over time above what of each stream can be used; see `show`.

        Raises:
            MissingExtra: matplotlib is not installed.
        """
        from mavfer.looking import plot_session

        return plot_session(self, self._study, self._labels)

    def _label_table(self) -> LabelTable:
        if self._labels is None:
            message = f"session {self.session}: loaded without labels. Pass labels=NAME to load()"
            raise NotFound(message)
        if self._label is None:
            self._label = self._read_label(self._labels)
        return self._label

    def _read_label(self, name: str) -> LabelTable:
        if name.startswith(RATER_PREFIX):
            return self._rater_label(name.removeprefix(RATER_PREFIX))
        try:
            return read_label(self._study, name, self.session, len(self), self.dimensions)
        except NotFound:
            return empty_label(len(self), self.dimensions)

    def _rater_label(self, rater: str) -> LabelTable:
        label = empty_label(len(self), self.dimensions)
        for dimension, values in label.values.items():
            try:
                rating = read_latest_rating(self._study, self.session, dimension, rater)
            except NotFound:
                continue
            values[:] = rating_at(rating, self.time_seconds)
        return label
