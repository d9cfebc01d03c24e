"""What is in a release: tables of subjects, sessions, streams, labels and splits."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from mavfer.release.limits import bias_sentences, limit_sentences, sensitive_sentence
from mavfer.release.questions import answer_or_gap
from mavfer.release.summaries import summarize_values
from mavfer.release.wording import (
    bullets,
    folded,
    number_text,
    paragraph,
    plain,
    rounded_text,
    share_text,
    table,
    time_text,
)
from mavfer.streams import STREAMS, StreamName

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mavfer.release.contents import ColumnSummary, Contents, LabelSummary, ValueSummary

__all__ = ["composition"]

_VALUE_HEADER = ("lowest", "quarter", "median", "three quarters", "highest", "mean", "SD")


def composition(contents: Contents) -> Iterator[str]:
    """Blocks of the section, in order."""
    yield "## What is in it (composition)"
    yield "### Subjects and sessions"
    yield from _subjects(contents)
    yield "### Streams"
    yield from _streams(contents)
    yield "### Frames"
    yield from _frames(contents)
    yield "### Labels"
    yield from _labels(contents)
    yield "### Splits"
    yield from _splits(contents)
    yield "### What the study has and this release has not"
    yield _left_out(contents)
    yield "### What is sensitive"
    yield paragraph(sensitive_sentence(contents))
    yield answer_or_gap(contents, "sensitive")
    yield "### Known limits"
    limits = [*bias_sentences(contents), *limit_sentences(contents)]
    yield bullets(limits) if limits else "None is known."


def _subjects(contents: Contents) -> Iterator[str]:
    simulated = len(contents.simulated_subjects)
    kinds = Counter(line["kind"] for line in contents.lines)
    yield table(
        ("what", "number"),
        [
            ("subjects", f"{len(contents.subjects):,}"),
            ("of them simulated", f"{simulated:,}"),
            ("sessions", f"{len(contents.lines):,}"),
            *((f"of kind {kind}", f"{count:,}") for kind, count in sorted(kinds.items())),
            ("time of all sessions", time_text(contents.seconds)),
            ("time of a session, median", time_text(contents.median_seconds)),
            ("frames", f"{contents.frames:,}"),
        ],
    )
    yield paragraph(
        "A session is one take of one subject. `shards/index.jsonl` has one line a session, with "
        "subject, frames, seconds, streams and settings."
    )
    yield answer_or_gap(contents, "population")
    if contents.columns:
        yield paragraph(
            "`participants.csv` describes the subjects; of the released ones its columns say:"
        )
        yield bullets(_column_text(column) for column in contents.columns)


def _column_text(column: ColumnSummary) -> str:
    missing = f" {column.missing} without." if column.missing else ""
    name = f"`{column.name}`"
    if column.values is not None:
        of = column.values
        return (
            f"{name}: {number_text(of.lowest)} to {number_text(of.highest)}, "
            f"median {number_text(of.quartiles[1])} ({of.count} subjects).{missing}"
        )
    if column.categories:
        counts = ", ".join(f"{plain(word)} {count}" for word, count in column.categories.items())
        return f"{name}: {counts}.{missing}"
    return f"{name}: text, see the file.{missing}"


def _streams(contents: Contents) -> Iterator[str]:
    yield table(
        ("stream", "sessions", "crop, pixels", "one sample", "valid frames"),
        [_stream_row(contents, name) for name in contents.streams],
    )
    yield bullets(_stream_text(name) for name in contents.streams)
    yield folded(
        "Valid frames over the sessions, by stream",
        table(
            ("% of a session's frames", *_VALUE_HEADER),
            [(name, *_shares(contents, name)) for name in contents.streams],
        ),
    )


def _stream_row(contents: Contents, name: StreamName) -> tuple[str, ...]:
    lines = contents.of_stream(name)
    crops = sorted(
        {(line["streams"][name]["width"], line["streams"][name]["height"]) for line in lines}
    )
    sizes = f"{crops[0][0]}×{crops[0][1]}"
    if len(crops) > 1:
        sizes += f" to {crops[-1][0]}×{crops[-1][1]}"
    valid = sum(line["streams"][name]["valid_frames"] for line in lines)
    frames = sum(line["frames"] for line in lines)
    sample = f"{STREAMS[name].channels} × {STREAMS[name].dtype}"
    return (name, f"{len(lines):,}", sizes, sample, f"{valid:,} ({share_text(valid, frames)})")


def _stream_text(name: StreamName) -> str:
    about = STREAMS[name]
    gap = "" if about.missing is None else f"; {about.missing} where nothing was measured"
    return f"{name}: {about.unit}{gap}."


def _shares(contents: Contents, name: StreamName) -> tuple[str, ...]:
    lines = contents.of_stream(name)
    shares = [100 * line["streams"][name]["valid_frames"] / line["frames"] for line in lines]
    return tuple(_value_cells(summarize_values(np.array(shares)), places=1))


def _value_cells(of: ValueSummary, *, places: int) -> list[str]:
    numbers = (of.lowest, *of.quartiles, of.highest, of.mean, of.sd)
    return [rounded_text(value, places) for value in numbers]


def _frames(contents: Contents) -> Iterator[str]:
    frames, carried = contents.frames, contents.total("carried_frames")
    valid = contents.total("valid_frames")
    counts = {
        "face found in color": valid - carried,
        "head carried by depth": carried,
        "no usable face": frames - valid,
        "all": frames,
    }
    yield table(
        ("frames", "number", "share"),
        [(what, f"{count:,}", share_text(count, frames)) for what, count in counts.items()],
    )
    by_light = _by_lighting(contents)
    if by_light:
        yield folded(
            "Frames by lighting",
            table(
                ("lighting", "sessions", "frames", "no usable face", "carried by depth"), by_light
            ),
        )


def _by_lighting(contents: Contents) -> list[tuple[str, ...]]:
    """One row for each way of lighting that sessions name; none where they name none."""
    named = [line for line in contents.lines if "lighting" in line["settings"]]
    rows: list[tuple[str, ...]] = []
    for lighting in sorted({str(line["settings"]["lighting"]) for line in named}):
        lines = [line for line in named if str(line["settings"]["lighting"]) == lighting]
        frames, valid, carried = (
            sum(line[key] for line in lines) for key in ("frames", "valid_frames", "carried_frames")
        )
        missing, by_depth = share_text(frames - valid, frames), share_text(carried, frames)
        rows.append((plain(lighting), f"{len(lines):,}", f"{frames:,}", missing, by_depth))
    return rows


def _labels(contents: Contents) -> Iterator[str]:
    yield bullets(
        f"{each['name']}: from {number_text(each['low'])} ({each['low_word']}) to "
        f"{number_text(each['high'])} ({each['high_word']})."
        for each in contents.study["dimensions"]
    )
    if not contents.labels:
        yield "There are no labels in this release."
    for label in contents.labels:
        yield from _label(contents, label)


def _label(contents: Contents, label: LabelSummary) -> Iterator[str]:
    count, total = len(label.documents), len(contents.lines)
    yield paragraph(
        f"The label `{label.name}` gives one value a frame and dimension; {count} of {total} "
        "sessions have it. How it was made stands further down."
    )
    if label.values:
        yield table(
            (f"values of {label.name}", "frames", "without", *_VALUE_HEADER),
            [
                (name, f"{of.count:,}", f"{of.missing:,}", *_value_cells(of, places=3))
                for name, of in label.values.items()
            ],
        )
    if label.expressions:
        yield table(
            ("expression", "frames"),
            [(plain(name), f"{count:,}") for name, count in label.expressions.items()],
        )


def _splits(contents: Contents) -> Iterator[str]:
    if not contents.splits:
        yield "There are no splits in this release; divide by subject, never by session or frame."
    for split in contents.splits:
        yield paragraph(
            f"`{split.name}` ({split.kind.replace('_', ' ')}); no subject stands in two parts of "
            "a fold."
        )
        rows = [
            (str(number), part, *_part_cells(contents, subjects))
            for number, fold in enumerate(split.folds)
            for part, subjects in fold.items()
        ]
        block = table(("fold", "part", "subjects", "sessions", "frames"), rows, words=(0, 1))
        is_long = len(split.folds) > 1
        yield folded(f"Sizes of {len(split.folds)} folds", block) if is_long else block


def _part_cells(contents: Contents, subjects: Sequence[str]) -> tuple[str, ...]:
    lines = [line for line in contents.lines if line["subject"] in subjects]
    frames = sum(line["frames"] for line in lines)
    return (f"{len(subjects):,}", f"{len(lines):,}", f"{frames:,}")


def _left_out(contents: Contents) -> str:
    if not contents.left_out:
        return "Nothing was kept back: every session with a shard is here."
    return table(
        ("reason", "subjects", "sessions"),
        [
            (plain(each.reason), f"{each.subjects:,}", f"{each.sessions:,}")
            for each in contents.left_out
        ],
    )
