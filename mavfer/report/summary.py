"""What is in a study, in numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from mavfer.study.labels import label_names
from mavfer.study.shard_index import read_index
from mavfer.study.study import Study

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Summary", "summarize"]

_MEBIBYTE = 1 << 20
_SECONDS_A_MINUTE = 60


@dataclass(frozen=True)
class Summary:
    """Counts over a study."""

    name: str
    """Name of the study."""
    subjects: int
    """Rows of participants.csv."""
    sessions: int
    """Folders under sessions/; in a release as many as shards."""
    shards: int
    """Sessions that have a shard."""
    frames: int
    """Rows of all shards."""
    seconds: float
    """Length of all shards."""
    valid_frames: int
    """Rows whose face was found or carried."""
    carried_frames: int
    """Rows whose head was carried by depth."""
    shard_bytes: int
    """Size of all shards."""
    streams: list[str]
    """Streams that any shard has."""
    labels: list[str]
    """Names under labels/, or inside of the shards."""
    raters: int
    """Raters with a rating."""
    runs: int
    """Finished runs of baselines."""

    @property
    def valid_share(self) -> float:
        """Share of the rows whose face was found or carried; 0 without rows."""
        return self.valid_frames / self.frames if self.frames else 0.0

    def to_document(self) -> dict[str, Any]:
        """The summary as JSON."""
        return asdict(self)

    def __str__(self) -> str:
        lines = [
            f"{self.name}",
            f"  subjects  {self.subjects}",
            f"  sessions  {self.sessions}, {self.shards} of them preprocessed",
        ]
        if self.shards:
            minutes = self.seconds / _SECONDS_A_MINUTE
            lines += [
                f"  frames    {self.frames:,} ({minutes:.1f} min), {self.valid_share:.1%} valid, "
                f"{self.carried_frames:,} carried by depth",
                f"  streams   {', '.join(self.streams)}",
                f"  shards    {self.shard_bytes / _MEBIBYTE:,.1f} MiB",
            ]
        lines += [
            f"  raters    {self.raters}",
            f"  labels    {', '.join(self.labels) or 'none'}",
            f"  runs      {self.runs}",
        ]
        return "\n".join(lines)


def summarize(root: Path) -> Summary:
    """The summary of the study in the folder `root`.

    Raises:
        NotFound: There is no study.
    """
    study = Study.open(root)
    entries = read_index(study)
    streams = {name for entry in entries for name in entry["streams"]}
    return Summary(
        name=study.name,
        subjects=len(study.participants()["subject"]),
        sessions=len(study.sessions()),
        shards=len(entries),
        frames=sum(entry["frames"] for entry in entries),
        seconds=sum(entry["seconds"] for entry in entries),
        valid_frames=sum(entry["valid_frames"] for entry in entries),
        carried_frames=sum(entry["carried_frames"] for entry in entries),
        shard_bytes=sum(entry["size"] for entry in entries),
        streams=[name for name in study.document["streams"] if name in streams],
        labels=label_names(study),
        raters=len(_raters(root)),
        runs=len(list(root.glob("results/[!.]*/result.json"))),
    )


def _raters(root: Path) -> set[str]:
    """Rater codes, from the names of the rating files: <dimension>.<rater>.<take>.json."""
    return {path.name.split(".")[1] for path in root.glob("ratings/*/*.*.*.json")}
