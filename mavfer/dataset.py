"""`mavfer.load()`: a study or a release as a data set of recordings."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, get_args, overload

import numpy as np

from mavfer.clips import Clips
from mavfer.errors import ChecksumMismatch, CommandError, NotFound
from mavfer.files import sha256_of
from mavfer.progress import counted
from mavfer.recordings import RATER_PREFIX, Recording
from mavfer.streams import STREAM_NAMES, STREAMS, StreamName
from mavfer.study.labels import label_path
from mavfer.study.ratings import find_ratings
from mavfer.study.shard_index import read_index
from mavfer.study.splits import read_split, split_names
from mavfer.study.study import Study

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd
    from matplotlib.figure import Figure

    from mavfer.clips import Cache, Layout, Missing, Start
    from mavfer.views import ViewName

__all__ = ["Dataset", "Recording", "load"]

Verify = Literal["none", "index", "full"]

_LABEL: Final = re.compile(r"^(rater:[A-Za-z0-9_]{1,32}|[A-Za-z0-9_-]+)$")


def load(
    path: str | Path,
    *,
    split: str | None = None,
    modalities: Sequence[StreamName] = STREAM_NAMES,
    labels: str | None = "gold",
    verify: Verify = "index",
) -> Dataset:
    """The study or release in the folder `path`; no pixel is read yet.

    Args:
        path: Folder with study.json.
        split: Only this part of the split "default".
        modalities: Streams that clips have.
        labels: A name under labels/ or, in a release, inside the shards; "rater:CODE" for one
            rater's last take; None for no label columns. Sessions without that label have NaN and
            `label_valid` False.
        verify: "index" compares every shard's size and time of change with the index; "full" also
            reads every byte; "none" believes the index.

    Raises:
        NotFound: No study, no shards, a listed shard is missing, or no such split.
        InvalidFile: A file is torn or against its schema; with "full" also where bytes changed.
        CommandError: An argument is not one of those above.
    """
    _require_arguments(modalities, labels, verify)
    study = Study.open(Path(path))
    lines = read_index(study, is_checked=verify != "none")
    if not lines:
        message = f"{study.shards_folder}: no shards yet. Run mavfer preprocess {path}"
        raise NotFound(message)
    dataset = Dataset(study, lines, modalities=modalities, labels=labels)
    if verify == "full":
        dataset.verify()
    return dataset if split is None else dataset.split(split)


class Dataset:
    """Recordings of a study; choosing some of them gives a smaller Dataset."""

    def __init__(
        self,
        study: Study,
        lines: Sequence[dict[str, Any]],
        *,
        modalities: Sequence[StreamName],
        labels: str | None,
    ) -> None:
        self.study = study
        self.modalities = tuple(name for name in STREAM_NAMES if name in modalities)
        self.labels = labels
        self.dimensions = tuple(d["name"] for d in study.document["dimensions"])
        self._recordings = [
            Recording(
                study,
                line,
                modalities=self.modalities,
                labels=labels,
                dimensions=self.dimensions,
            )
            for line in lines
        ]

    def __len__(self) -> int:
        return len(self._recordings)

    def __iter__(self) -> Iterator[Recording]:
        return iter(self._recordings)

    @overload
    def __getitem__(self, key: int | str) -> Recording: ...
    @overload
    def __getitem__(self, key: slice) -> Dataset: ...
    def __getitem__(self, key: int | str | slice) -> Recording | Dataset:
        """A recording by number or session id; a smaller data set by a slice.

        Raises:
            IndexError: There is no such number.
            NotFound: There is no such session.
        """
        if isinstance(key, slice):
            return self._subset(self._recordings[key])
        if isinstance(key, str):
            for recording in self._recordings:
                if recording.session == key:
                    return recording
            message = f"no session {key!r} here. The first of {len(self)} is {self.sessions[:1]}"
            raise NotFound(message)
        return self._recordings[key]

    def __repr__(self) -> str:
        if not len(self):
            return f"<mavfer study '{self.study.name}': no sessions>"
        frames = sum(len(recording) for recording in self)
        streams = ", ".join(self._stream_text(name) for name in self.modalities)
        return (
            f"<mavfer study '{self.study.name}': {counted(len(self), 'session')} of "
            f"{counted(len(self.subjects), 'subject')}, {frames:,} frames, "
            f"{_time_text(self._seconds())}\n"
            f"  streams  {streams}\n"
            f"  valid    {self._share('valid_frames'):.1%} of frames, "
            f"{self._share('carried_frames'):.1%} carried by depth\n"
            f"  labels   {self._label_text()}>"
        )

    @property
    def subjects(self) -> list[str]:
        """Subject codes, sorted."""
        return sorted({recording.subject for recording in self})

    @property
    def sessions(self) -> list[str]:
        """Session ids, in order."""
        return [recording.session for recording in self]

    @property
    def info(self) -> dict[str, Any]:
        """What the study is, what its numbers mean, and how much of it is here."""
        document = self.study.document
        kept = ("name", "description", "licence", "contact", "dimensions", "expression_classes")
        return {
            **{key: document[key] for key in kept},
            "streams": {
                name: {"dtype": STREAMS[name].dtype, "unit": STREAMS[name].unit}
                for name in self.modalities
            },
            "labels": self.labels,
            "splits": split_names(self.study),
            "sessions": len(self),
            "subjects": len(self.subjects),
            "frames": sum(len(recording) for recording in self),
            "seconds": self._seconds(),
        }

    def split(self, part: str, name: str = "default", fold: int = 0) -> Dataset:
        """The recordings of one part of a split.

        Raises:
            NotFound: No such split or part.
            CommandError: No such fold.
            InvalidFile: A subject stands in two parts.
        """
        subjects = set(read_split(self.study, name).subjects(part, fold))
        return self._subset([r for r in self if r.subject in subjects])

    def select(self, query: str) -> Dataset:
        """The recordings whose row of `to_pandas()` fulfils a pandas query.

        ds.select("subject != 'S03' and valid_share > 0.9")

        Raises:
            CommandError: The query names a column that is not there, or cannot be understood.
        """
        import pandas as pd

        table = self.to_pandas()
        try:
            sessions = set(table.query(query, engine="python")["session"])
        except (
            SyntaxError,
            ValueError,
            TypeError,
            KeyError,
            pd.errors.UndefinedVariableError,
        ) as error:
            message = f"select({query!r}): {error}. Columns: {', '.join(table.columns)}"
            raise CommandError(message) from error
        return self._subset([r for r in self if r.session in sessions])

    def to_pandas(self) -> pd.DataFrame:
        """One row a session: counts, shares, settings, and what participants.csv says."""
        import pandas as pd

        table = pd.DataFrame([_session_row(recording.info) for recording in self])
        if not len(table) or not self.study.participants_path.is_file():
            return table
        people = pd.DataFrame(self.study.participants())
        extra = [column for column in people if column == "subject" or column not in table]
        return table.merge(people[extra], on="subject", how="left")

    def frames(self) -> pd.DataFrame:
        """One row a frame: session, subject, frame, times, validity, quality, labels; no pixels.

        `valid` is True where the face was found or carried; `valid_<stream>` where the stream's
        frame can be used; `reason` is the code of docs/formats.md, 'shard'.
        """
        import pandas as pd

        tables = [self._frame_table(recording) for recording in self]
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()

    def clips(  # noqa: PLR0917 (the contract's order)
        self,
        length: int = 16,
        stride: int = 1,
        hop: int = 16,
        start: Start = "grid",
        missing: Missing = "mask",
        seed: int = 0,
        *,
        min_valid: float = 0.0,
        views: Sequence[ViewName] = (),
        layout: Layout = "THWC",
        cache: Cache = "none",
    ) -> Clips:
        """Clips of `length` frames.

        Args:
            length: Frames a clip.
            stride: Frames from one to the next within a clip.
            hop: Frames from the start of a clip to the next clip's.
            start: "grid" starts every `hop` frames; "random" anywhere within the hop, anew every
                epoch; "group" the same, where a group of the shard begins, which reads fastest.
            missing: "mask" gives zeros and `valid` False for a stream that a session lacks; "drop"
                leaves such sessions out.
            seed: Of starts and order.
            min_valid: Least share of a clip's frames whose face was found or carried.
            views: Some of "depth_mm", "depth_relative", "thermal_celsius", beside the raw pixels.
            layout: "CTHW" puts channels first: color (3, T, H, W), depth and thermal (1, T, H, W).
            cache: "ram" keeps the compressed bytes of shards once they were read; for slow disks.

        Raises:
            NotFound: No session is long enough, or valid enough.
            CommandError: A number or name makes no sense.
        """
        return Clips(
            self._recordings,
            length=length,
            stride=stride,
            hop=hop,
            start=start,
            missing=missing,
            seed=seed,
            min_valid=min_valid,
            views=views,
            layout=layout,
            cache=cache,
            has_labels=self.labels is not None,
            has_expression=bool(self.study.document["expression_classes"]),
        )

    def plot(self, *, limit: int = 24) -> Figure:
        """Labels and what can be used, small, one row a session, sorted by subject.

        Raises:
            NotFound: There are no sessions.
            CommandError: `limit` is not a number of rows.
            MissingExtra: matplotlib is not installed.
        """
        from mavfer.looking import plot_sessions

        return plot_sessions(self._recordings, self.study, self.labels, limit=limit)

    def verify(self) -> None:
        """Reads every byte of every shard.

        Raises:
            ChecksumMismatch: Bytes changed since they were written.
            InvalidFile: A shard is torn.
        """
        for recording in self:
            recording.shard.verify()
            path = recording.shard.path
            if sha256_of(path) != recording.info["sha256"]:
                message = f"{path}: its bytes changed since it was listed. Restore it from a copy"
                raise ChecksumMismatch(message)

    def _subset(self, recordings: list[Recording]) -> Dataset:
        subset = Dataset(self.study, [], modalities=self.modalities, labels=self.labels)
        subset._recordings = recordings
        return subset

    def _frame_table(self, recording: Recording) -> pd.DataFrame:
        import pandas as pd

        quality = recording.column("quality")
        columns: dict[str, Any] = {
            "session": recording.session,
            "subject": recording.subject,
            "frame": np.arange(len(recording)),
            "time_seconds": recording.time_seconds,
            "valid": recording.usable,
            **{f"valid_{name}": bits for name, bits in recording.valid.items()},
            "carried": recording.carried,
            "reason": recording.column("reason"),
            "n_faces": recording.column("n_faces"),
            **{name: quality[name] for name in quality.dtype.names or ()},
        }
        if self.labels is not None:
            columns |= {name: recording.label(name) for name in self.dimensions}
            if self.study.document["expression_classes"]:
                columns["expression"] = recording.expression
        return pd.DataFrame(columns)

    def _seconds(self) -> float:
        return float(sum(recording.info["seconds"] for recording in self))

    def _share(self, key: str) -> float:
        return float(sum(r.info[key] for r in self) / sum(len(r) for r in self))

    def _stream_text(self, name: StreamName) -> str:
        there = [r for r in self if name in r.info["streams"]]
        sizes = sorted({f"{h}x{w}" for h, w in (r.crop_size for r in there)})
        some = "" if len(there) == len(self) else f" ({len(there)} of {len(self)} sessions)"
        return f"{name} {'/'.join(sizes) or 'absent'}{some}"

    def _label_text(self) -> str:
        if self.labels is None:
            return "none"
        labelled = sum(self._has_label(recording, self.labels) for recording in self)
        dimensions = ", ".join(self.dimensions)
        return f"{self.labels}: {dimensions} ({labelled} of {len(self)} sessions)"

    def _has_label(self, recording: Recording, labels: str) -> bool:
        if labels.startswith(RATER_PREFIX):
            rater = labels.removeprefix(RATER_PREFIX)
            return any(r == rater for _, r, _, _ in find_ratings(self.study, recording.session))
        is_inside = labels in recording.info.get("labels", ())
        return is_inside or label_path(self.study, labels, recording.session).is_file()


def _session_row(line: dict[str, Any]) -> dict[str, Any]:
    """A session's line of the index as a flat row."""
    kept = ("session", "subject", "kind", "frames", "seconds", "rate_hz", "valid_frames")
    row: dict[str, Any] = {key: line[key] for key in kept}
    row["carried_frames"] = line["carried_frames"]
    row["valid_share"] = line["valid_frames"] / line["frames"]
    row["height"] = line["streams"]["color"]["height"]
    row["width"] = line["streams"]["color"]["width"]
    row["alignment"] = line["alignment"]
    for name in STREAM_NAMES:
        stream = line["streams"].get(name)
        row[f"has_{name}"] = stream is not None
        row[f"valid_{name}_share"] = (stream["valid_frames"] if stream else 0) / line["frames"]
    for key, value in line["settings"].items():
        if isinstance(value, str | int | float | bool | None):
            row.setdefault(key, value)
    return row


def _time_text(seconds: float) -> str:
    for unit, length in (("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1f} s"


def _require_arguments(modalities: Sequence[str], labels: str | None, verify: str) -> None:
    unknown = [name for name in modalities if name not in STREAM_NAMES]
    if isinstance(modalities, str) or unknown or not modalities:
        message = f"modalities is {modalities!r}. Give some of {', '.join(STREAM_NAMES)} in a tuple"
        raise CommandError(message)
    if labels is not None and not _LABEL.match(labels):
        message = f"labels is {labels!r}. Give a name under labels/, 'rater:CODE', or None"
        raise CommandError(message)
    if verify not in get_args(Verify):
        message = f"verify is {verify!r}. Choose one of {', '.join(get_args(Verify))}"
        raise CommandError(message)
