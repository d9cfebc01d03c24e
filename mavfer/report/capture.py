"""Sections about what was captured: aligned streams, tracks, synchronisation, quality."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.report import html
from mavfer.report.clocks import CLOCK_COLUMNS, CLOCK_WORDS, clock_numbers
from mavfer.report.plots import Band, plot_gaps, plot_quality, plot_tracks
from mavfer.report.sheets import session_rows
from mavfer.streams import STREAM_NAMES
from mavfer.vision.pairing import pair_limit_ns
from mavfer.vision.pictures import contact_sheet, encode_picture

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mavfer.dataset import Dataset, Recording

__all__ = ["capture_sections", "lighting_of", "one_of_each"]

_TILE: Final = 150
_JPEG_QUALITY: Final = 85
_SHOWN_FIRST: Final = 2


def capture_sections(dataset: Dataset) -> Iterator[str]:
    """The sections, in the order in which the data come to be."""
    yield _streams_section(dataset)
    yield _tracks_section(dataset)
    yield _synchronisation_section(dataset)
    yield _quality_section(dataset)


# Aligned streams.


def _streams_section(dataset: Dataset) -> str:
    """Contact sheets: one session of each lighting open, the others folded away."""
    first = one_of_each(dataset)
    rest = [rec for rec in dataset if rec not in first]
    parts = [
        html.paragraph(
            "Crops of the face, upright and of one size. Depth and thermal are registered into the "
            "crop through the calibration; light gray is where nothing was measured."
        ),
        *(_sheet(rec) for rec in first),
    ]
    if rest:
        title = f"The other {len(rest)} sessions" if len(rest) > 1 else "The other session"
        parts.append(html.details(title, *(_sheet(rec) for rec in rest)))
    return html.section("Aligned streams", *parts)


def one_of_each(recordings: Iterable[Recording]) -> list[Recording]:
    """The first session of each lighting; the first two where only one is known."""
    every = list(recordings)
    by_lighting: dict[str, Recording] = {}
    for rec in every:
        by_lighting.setdefault(lighting_of(rec), rec)
    return list(by_lighting.values()) if len(by_lighting) > 1 else every[:_SHOWN_FIRST]


def lighting_of(rec: Recording) -> str:
    """Name of a session's lighting; "" where it is not known."""
    return str(rec.info["settings"].get("lighting") or "")


def _sheet(rec: Recording) -> str:
    rows = {
        name: encode_picture(contact_sheet([pictures], tile=_TILE), quality=_JPEG_QUALITY)
        for name, pictures in session_rows(rec).items()
    }
    return f"<h3>{_title(rec)}</h3>\n{html.sheet(rows)}"


def _title(rec: Recording) -> str:
    lighting = lighting_of(rec)
    words = [rec.session, *([lighting] if lighting else [])]
    words += [f"{len(rec)} frames in {rec.info['seconds']:.1f} s"]
    return html.text(" · ".join(words))


# Tracks and validity over time.


def _tracks_section(dataset: Dataset) -> str:
    bands = [
        Band(
            name=rec.session,
            seconds=rec.time_seconds,
            state=np.where(rec.carried, 2, rec.usable.astype(int)),
            streams={
                stream.stream: rec.valid[stream.stream]
                for stream in (rec.depth, rec.thermal)
                if stream.is_there
            },
        )
        for rec in dataset
    ]
    rows = [
        (
            rec.session,
            str(len(rec)),
            _percent(rec.usable & ~rec.carried),
            _percent(rec.carried),
            *(_percent(rec.valid[name]) if rec.stream(name).is_there else "–" for name in _OTHERS),
            str(len(rec.shard.documents()["tracks"])),
        )
        for rec in dataset
    ]
    header = ["session", "frames", "found", "carried", "depth", "thermal", "tracks"]
    return html.section(
        "Tracks and validity over time",
        html.paragraph(
            "Where color shows no face, the head is carried by depth and the frames are marked."
        ),
        html.figure(plot_tracks(bands)),
        html.table(header, rows),
    )


_OTHERS: Final = ("depth", "thermal")


# Clocks and synchronisation.


def _synchronisation_section(dataset: Dataset) -> str:
    lines = [line for rec in dataset for line in _synchronisation_lines(rec)]
    header = [
        *("session", "stream", "frames", *CLOCK_COLUMNS),
        *("unpaired", "gap median, ms", "gap p95, ms", "longest hole, ms"),
    ]
    parts = [
        html.paragraph(
            "Each camera's clock is fitted to the host's by the lower edge of its delays; each "
            f"color frame then gets the nearest depth and thermal frame. {CLOCK_WORDS}"
        )
    ]
    example = next((rec for rec in dataset if _paired(rec)), None)
    if example is not None:
        parts += [f"<h3>Gaps of {html.text(example.session)}</h3>", _gap_figure(example)]
    worst = [_worst([line for line in lines if line[1] == name]) for name in STREAM_NAMES]
    parts.append(html.table(["worst session", *header[2:]], [w for w in worst if w]))
    rows = [(session, stream, *map(_number, numbers)) for session, stream, numbers in lines]
    parts.append(html.details(f"Each of {len(dataset)} sessions", html.table(header, rows)))
    return html.section("Clocks and synchronisation", *parts)


def _synchronisation_lines(rec: Recording) -> list[tuple[str, str, list[float | None]]]:
    """Session, stream and the numbers of its row, one a stream."""
    lines = []
    for stream, report in rec.shard.documents()["synchronisation"].items():
        pairing = report.get("pairing", {})
        numbers = [
            report["frames"],
            *clock_numbers(report["fit"]),
            *(
                pairing.get(key)
                for key in ("missing", "gap_median_ms", "gap_p95_ms", "longest_hole_ms")
            ),
        ]
        lines.append((rec.session, stream, numbers))
    return lines


def _worst(lines: list[tuple[str, str, list[float | None]]]) -> Sequence[str]:
    """One row for a stream: the fewest frames, and of all other numbers the largest."""
    if not lines:
        return ()
    columns = zip(*(numbers for _, _, numbers in lines), strict=True)
    frames, *others = [[value for value in column if value is not None] for column in columns]
    largest = [max(values, key=abs, default=None) for values in others]
    return (lines[0][1], _number(min(frames, default=None)), *map(_number, largest))


def _gap_figure(rec: Recording) -> str:
    gaps, limits = {}, {}
    for name, report in _paired(rec).items():
        is_paired = rec.column(f"{name}_frame") >= 0
        gap_ms = rec.column(f"{name}_gap_ns")[is_paired] / 1e6
        gaps[name] = (rec.time_seconds[is_paired], gap_ms)
        limits[name] = pair_limit_ns(1e9 / report["rate_hz"]) / 1e6
    return html.figure(plot_gaps(gaps, limits))


def _paired(rec: Recording) -> dict[str, Any]:
    """The synchronisation reports of the streams that were paired with color."""
    reports = rec.shard.documents()["synchronisation"]
    return {name: report for name, report in reports.items() if "pairing" in report}


# Quality.


def _quality_section(dataset: Dataset) -> str:
    names = {
        "blur": 0,
        "brightness": 0,
        "inside": 2,
        "depth_coverage": 2,
        "thermal_coverage": 2,
        "agreement": 1,
        "carry_residual_mm": 2,
    }
    rows = [
        (rec.session, *(_median(rec.column("quality")[name], n) for name, n in names.items()))
        for rec in dataset
    ]
    header = [
        *("session", "sharpness", "brightness", "face inside image", "face with depth"),
        *("face with thermal", "agreement, %", "carried, mm"),
    ]
    example = one_of_each(dataset)[-1]
    quality = example.column("quality")
    coverage = {
        "face with depth": quality["depth_coverage"],
        "face with thermal": quality["thermal_coverage"],
        "face inside image": quality["inside"],
    }
    return html.section(
        "Quality",
        html.paragraph(
            "Medians over the frames with a face; every frame has its own row. Agreement: distance "
            "of fresh landmarks and optical flow in % of the eye distance. Carried: residual of "
            "the head's surface."
        ),
        html.table(header, rows),
        f"<h3>Coverage of {html.text(example.session)}</h3>",
        html.figure(plot_quality(example.time_seconds, coverage, "share")),
    )


def _percent(chosen: Any) -> str:
    return f"{np.mean(chosen):.1%}"


def _number(value: float | None) -> str:
    """A count as it is, any other number with as many digits as matter."""
    if value is None:
        return "–"
    return str(value) if isinstance(value, int) else f"{value:.{1 if abs(value) >= 10 else 2}f}"  # noqa: PLR2004 (three digits in all)


def _median(values: Any, digits: int) -> str:
    known = values[np.isfinite(values)]
    return f"{np.median(known):.{digits}f}" if known.size else "–"
