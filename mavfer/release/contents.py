"""What is in a release, as its documents tell it: counts and facts, no pixel and no lab path.

`mavfer/release/gathering.py` fills it from a study, `mavfer/release/documents.py` writes from it.
Whatever stands here may be printed. So it names released subjects only, counts those left out, and
has no rater's code, no serial number and no name of a machine.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from statistics import median
from typing import TYPE_CHECKING, Any

from mavfer.streams import STREAM_NAMES, StreamName

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "AgreementLine",
    "Calibration",
    "Capture",
    "ColumnSummary",
    "Consents",
    "Contents",
    "LabelSummary",
    "LeftOut",
    "Ratings",
    "ReleasedFile",
    "SplitSummary",
    "ValueSummary",
    "Withdrawal",
]


@dataclass(frozen=True)
class ReleasedFile:
    """One file of the release."""

    path: str
    """Below the release, with forward slashes."""
    size: int
    """Bytes."""
    sha256: str
    """In hexadecimal."""
    media_type: str
    """As `application/x-hdf5`."""


@dataclass(frozen=True)
class ValueSummary:
    """How numbers are distributed."""

    count: int
    """Numbers that are there."""
    missing: int
    """Places without a number."""
    mean: float
    """NaN without numbers, as all that follow."""
    sd: float
    """Standard deviation of these numbers (ddof 0)."""
    lowest: float
    """Smallest."""
    quartiles: tuple[float, float, float]
    """A quarter, half and three quarters of the numbers are at most this."""
    highest: float
    """Largest."""


@dataclass(frozen=True)
class ColumnSummary:
    """A column of participants.csv, over the released subjects alone."""

    name: str
    """Header of the column."""
    values: ValueSummary | None = None
    """Where every filled cell is a number."""
    categories: Mapping[str, int] = field(default_factory=dict)
    """Subjects by cell where few different ones stand there; else empty, as for free text."""
    missing: int = 0
    """Subjects whose cell is empty."""


@dataclass(frozen=True)
class LabelSummary:
    """The labels of one name."""

    name: str
    """Folder under labels/."""
    documents: tuple[dict[str, Any], ...]
    """One a session (schemas/label.json), sorted by session."""
    values: Mapping[str, ValueSummary] = field(default_factory=dict)
    """By dimension, over all frames of all these sessions."""
    expressions: Mapping[str, int] = field(default_factory=dict)
    """Frames by expression class; empty where there are none."""


@dataclass(frozen=True)
class SplitSummary:
    """A division of the subjects, as released."""

    name: str
    """File under splits/."""
    kind: str
    """parts, folds or leave_one_subject_out."""
    folds: tuple[Mapping[str, tuple[str, ...]], ...]
    """Released subjects by part, one such table a fold."""


@dataclass(frozen=True)
class Ratings:
    """The ratings behind the labels."""

    raters: int
    """Different raters of the released sessions."""
    takes: int
    """Traces of the released sessions: one rater, one session, one dimension, once."""
    kinds: Mapping[str, int] = field(default_factory=dict)
    """Takes by kind: person, simulated, imported."""
    is_included: bool = False
    """Whether the traces themselves are in the release."""


@dataclass(frozen=True)
class Consents:
    """What the released subjects agreed to."""

    subjects_by_scope: Mapping[str, int]
    """Released subjects by scope: record, rate, share, publish_images."""
    form_versions: Mapping[str, int]
    """Released subjects by version of the form that they signed."""
    without_record: int
    """Released subjects without a consent record: simulated, or from an imported data set."""
    publishable: tuple[str, ...]
    """Released subjects whose pictures may be printed, sorted."""


@dataclass(frozen=True)
class LeftOut:
    """What was kept back for one reason; the reason names nobody."""

    reason: str
    """As "no consent to share"."""
    subjects: int
    """Subjects that this concerns."""
    sessions: int
    """Sessions that this concerns."""


@dataclass(frozen=True)
class Withdrawal:
    """One erasure from the study, before this release."""

    date: str
    """Day, as 2026-07-30."""
    what: str
    """subject or rater; never a code."""


@dataclass(frozen=True)
class Capture:
    """How one stream was captured, over the released sessions that share all of this."""

    stream: StreamName
    """Which stream."""
    model: str
    """Camera model, or "video file"."""
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    rate_hz: float
    """Frames a second."""
    codec: str | None
    """Codec of color frames; None where counts are stored as they are."""
    is_lossless_copy: bool
    """Whether the packets of an imported video were taken over bit for bit."""
    sessions: int
    """Released sessions captured so."""


@dataclass(frozen=True)
class Calibration:
    """One calibration that released sessions refer to."""

    name: str
    """Name of its file."""
    method: str
    """simulated, board or factory."""
    mean_error_pixels: float | None
    """Of points carried from color and depth into thermal; None where it was not measured."""
    max_error_pixels: float | None
    """Largest of these."""
    sessions: int
    """Released sessions captured with it."""


@dataclass(frozen=True)
class AgreementLine:
    """One statistic of the raters' agreement, of the table `mavfer agree` writes for dimensions."""

    dimension: str
    """What was rated."""
    raters: str
    """all, or unflagged."""
    statistic: str
    """As `ccc` or `icc_a_k`."""
    value: float
    """NaN where it could not be said."""
    low: float
    """Lower end of the 95 % interval; NaN where there is none."""
    high: float
    """Upper end."""


@dataclass(frozen=True)
class Contents:
    """Everything that the documents of a release tell."""

    study: dict[str, Any]
    """study.json: name, description, licence, contact, dimensions, retention date."""
    version: str
    """Version of the release, as 1.0.0."""
    created_utc: str
    """When the release was made, as 2026-07-30T12:00:00Z."""
    lines: tuple[dict[str, Any], ...]
    """The index of the released shards (schemas/shard-index.json), sorted by session."""
    files: tuple[ReleasedFile, ...]
    """Every file but the documents written from this and release.json, sorted by path."""
    columns: tuple[ColumnSummary, ...] = ()
    """Columns of participants.csv beside the code, in order."""
    labels: tuple[LabelSummary, ...] = ()
    """Released labels, sorted by name."""
    splits: tuple[SplitSummary, ...] = ()
    """Released splits, sorted by name."""
    annotation: dict[str, Any] | None = None
    """annotation.json, the rating project; None where there is none."""
    ratings: Ratings | None = None
    """None where nobody rated."""
    agreement: tuple[AgreementLine, ...] = ()
    """Agreement over all rated sessions of the study; empty before `mavfer agree`."""
    consents: Consents | None = None
    """None where no released subject has a record and none needs one."""
    left_out: tuple[LeftOut, ...] = ()
    """What the study has and the release has not, sorted by reason."""
    withdrawals: tuple[Withdrawal, ...] = ()
    """Erasures before this release, by date."""
    captures: tuple[Capture, ...] = ()
    """Cameras and codecs, sorted by stream."""
    recorded_months: tuple[str, str] | None = None
    """First and last month of recording, as 2026-07; None where that is not known."""
    calibrations: tuple[Calibration, ...] = ()
    """Calibrations in use, sorted by name."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """Software that made the release, name to version."""
    landmark_models: tuple[str, ...] = ()
    """SHA-256 of the landmark models that found the faces, sorted."""
    is_plain: bool = False
    """Whether plain/ has copies of the shards that any HDF5 reader understands."""
    answers: Mapping[str, str] = field(default_factory=dict)
    """What only the lab knows, by key of `mavfer/release/questions.py`."""

    @property
    def name(self) -> str:
        """Name of the study."""
        return str(self.study["name"])

    @cached_property
    def subjects(self) -> tuple[str, ...]:
        """Released subjects, sorted."""
        return tuple(sorted({line["subject"] for line in self.lines}))

    @cached_property
    def simulated_subjects(self) -> tuple[str, ...]:
        """Released subjects that the simulated rig drew, sorted."""
        found = {line["subject"] for line in self.lines if line["kind"] == "simulated"}
        return tuple(sorted(found))

    @property
    def frames(self) -> int:
        """Frames of all sessions."""
        return self.total("frames")

    @property
    def seconds(self) -> float:
        """Time of all sessions; stills have none."""
        return float(sum(line["seconds"] for line in self.lines))

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.size for file in self.files)

    def total(self, key: str) -> int:
        """Sum over the sessions of a count of the index: frames, valid_frames, carried_frames."""
        return int(sum(line[key] for line in self.lines))

    @property
    def streams(self) -> tuple[StreamName, ...]:
        """Streams that any released session has, in their fixed order."""
        return tuple(
            name for name in STREAM_NAMES if any(name in line["streams"] for line in self.lines)
        )

    def of_stream(self, name: StreamName) -> list[dict[str, Any]]:
        """The lines of the sessions that have a stream."""
        return [line for line in self.lines if name in line["streams"]]

    def files_below(self, folder: str) -> list[ReleasedFile]:
        """Files in a folder of the release and its folders."""
        return [file for file in self.files if file.path.startswith(f"{folder}/")]

    @property
    def median_seconds(self) -> float:
        """Half of the sessions with times last at most this long; 0 where none has times."""
        timed = [line["seconds"] for line in self.lines if line["seconds"] > 0]
        return float(median(timed)) if timed else 0.0
