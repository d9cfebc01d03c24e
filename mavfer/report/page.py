"""The report of a study: one file that opens without a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mavfer import __version__
from mavfer.dataset import load
from mavfer.files import replacing
from mavfer.progress import counted
from mavfer.report import html
from mavfer.report.capture import capture_sections
from mavfer.report.ratings import rating_sections
from mavfer.report.scores import comparisons, result_section
from mavfer.report.summary import Summary, summarize
from mavfer.report.training import training_sections
from mavfer.study.study import utc_now

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from mavfer.dataset import Dataset

__all__ = ["write_report"]

_BYTES_A_MEBIBYTE: Final = 1 << 20
_SIMULATED: Final = (
    "Simulated subjects: one photograph in the public domain, reshaped and animated. They serve to "
    "try the software; nothing about people, skin tones or identity may be concluded from them."
)


def write_report(root: Path) -> Path:
    """Writes reports/report.html of the study in `root`, and gives its path.

    Raises:
        NotFound: There is no study, or it has no shards.
        InvalidFile: A rating, label or result is torn or against its schema.
        MissingExtra: matplotlib or OpenCV is not installed.
    """
    dataset = load(root, labels=None)
    summary = summarize(root)
    path = dataset.study.reports_folder / "report.html"
    text = html.page(
        title=summary.name,
        lead=f"{counted(summary.sessions, 'session')} of {counted(summary.subjects, 'subject')}, "
        f"from camera to {_last_step(summary)}.",
        parts=_parts(dataset, summary),
        footer=f"Made by mavfer {__version__} on {utc_now()} from the files of the study alone.",
    )
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")
    return path


def _last_step(summary: Summary) -> str:
    """How far the study has come, as a word."""
    if summary.runs:
        return "score"
    return "label" if summary.labels else "shard"


def _parts(dataset: Dataset, summary: Summary) -> Iterable[str]:
    yield _tiles(summary)
    if any(rec.kind == "simulated" for rec in dataset):
        yield html.paragraph(_SIMULATED, "notice")
    compared = comparisons(dataset.study)
    if compared:
        yield result_section(dataset, compared)
    yield from capture_sections(dataset)
    yield from rating_sections(dataset)
    if compared:
        yield from training_sections(dataset, compared[0])
    yield _origin_section(dataset)


def _tiles(summary: Summary) -> str:
    minutes = summary.seconds / 60
    return html.tiles(
        {
            "subjects": str(summary.subjects),
            "sessions": str(summary.sessions),
            "frames": f"{summary.frames:,}",
            "minutes": f"{minutes:.1f}",
            **({"raters": str(summary.raters)} if summary.raters else {}),
            **({"runs": str(summary.runs)} if summary.runs else {}),
            "with the face": f"{summary.valid_share:.1%}",
            "carried by depth": f"{summary.carried_frames / max(summary.frames, 1):.1%}",
            "MiB of shards": f"{summary.shard_bytes / _BYTES_A_MEBIBYTE:,.0f}",
        }
    )


# Where it comes from.


def _origin_section(dataset: Dataset) -> str:
    rec = dataset[0]
    attributes, documents = rec.shard.attributes, rec.shard.documents()
    facts = {
        "alignment": attributes["alignment"],
        "compression": attributes["profile"],
        "landmark model": f"SHA-256 {attributes['landmark_model_sha256'][:16]}…",
        "calibration": (documents["calibration"] or {}).get("name", "none"),
        **{name: version for name, version in documents["versions"].items()},
    }
    code = (
        "import mavfer\n\n"
        f'ds = mavfer.load("{dataset.study.root.name}", labels=None)\n'
        "rec = ds[0]\n"
        "rec.color[0:16]        # uint8 (16, H, W, 3)\n"
        "rec.depth[0:16]        # uint16 (16, H, W), millimetres\n"
        "rec.thermal[0:16]      # uint16 (16, H, W), centikelvin\n"
        "ds.frames()            # one row a frame: validity, quality, times\n"
        "ds.clips(length=16)    # for training\n"
    )
    return html.section(
        "Use it, and how it was made",
        f"<pre>{html.text(code)}</pre>",
        html.details("Versions and options", html.table(["what", "value"], list(facts.items()))),
    )
