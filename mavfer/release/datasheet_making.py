"""How a release came about: the datasheet's sections on collection and on processing."""

from __future__ import annotations

from collections import Counter
from math import isfinite
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from mavfer.labelling.statistics import STATISTICS
from mavfer.release.limits import codec_text
from mavfer.release.questions import answer_or_gap
from mavfer.release.wording import (
    bullets,
    listed,
    number_text,
    paragraph,
    plain,
    rounded_text,
    table,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mavfer.release.contents import AgreementLine, Calibration, Contents, LabelSummary, Ratings

__all__ = ["annotation_text", "collection", "label_method", "processing"]

_SCOPES: Final = {
    "record": "to be recorded",
    "rate": "to be shown to raters",
    "share": "that the data are passed on",
    "publish_images": "that pictures are printed",
}
_MODES: Final = {"together": "in one pass on a plane", "one_at_a_time": "one pass each"}
_SHOWN_STATISTICS: Final = ("ccc", "pearson", "rmse", "icc_a_1", "icc_a_k", "krippendorff")


def collection(contents: Contents) -> Iterator[str]:
    """Blocks of the section, in order."""
    yield "## How it was collected (collection)"
    if contents.recorded_months is not None:
        first, last = contents.recorded_months
        yield f"Recorded in {first}." if first == last else f"Recorded from {first} to {last}."
    yield from (answer_or_gap(contents, key) for key in ("recruitment", "setting", "stimuli"))
    yield "### Cameras"
    yield from _cameras(contents)
    yield "### Consent and ethics"
    yield from _consent(contents)
    yield from (answer_or_gap(contents, key) for key in ("ethics", "information"))
    if contents.withdrawals:
        yield "### Withdrawals before this release"
        yield bullets(f"{each.date}: one {each.what} erased." for each in contents.withdrawals)


def processing(contents: Contents) -> Iterator[str]:
    """Blocks of the section, in order."""
    yield "## How it was processed and labelled (preprocessing, labelling)"
    yield "### Faces"
    yield from _faces(contents)
    yield answer_or_gap(contents, "raw_data")
    yield "### Ratings"
    yield from _ratings(contents)
    if contents.labels:
        yield "### Labels: how they were made"
    for label in contents.labels:
        yield from label_blocks(contents, label)
    if contents.agreement:
        yield "### How far raters agree"
        yield from _agreement(contents)


def label_method(label: LabelSummary) -> str:
    """By which methods a label was made, in a few words."""
    return listed(sorted({f"`{document['method']}`" for document in label.documents}))


def annotation_text(annotation: dict[str, Any]) -> list[str]:
    """The rating project's settings, a sentence each."""
    sentences = [
        f"Rated: {listed(annotation['dimensions'])}, {_MODES[annotation['mode']]}; the scale is "
        f"{annotation['scale']}.",
        f"Raters saw {listed(annotation['streams_shown'])} and rated by "
        f"{listed(annotation['input'])}; of their own trace they saw "
        f"{'nothing' if annotation['feedback'] == 'none' else 'the last seconds'}.",
    ]
    if annotation["practice"] is not None:
        mark = number_text(annotation["practice"]["pass_ccc"])
        sentences.append(f"They practised on a clip until their CCC with an expert was {mark}.")
    if annotation["calibration_clip"]:
        sentences.append("A clip before the sessions measured how late each rater reacts.")
    if annotation["hidden_repeats"]:
        share = number_text(100 * annotation["hidden_repeats"])
        sentences.append(f"{share} % of the sessions were shown a second time without a word.")
    return sentences


def _cameras(contents: Contents) -> Iterator[str]:
    if not contents.captures:
        yield "Of the cameras nothing is known: the study has no recordings of these sessions."
        return
    yield table(
        ("stream", "camera", "pixels", "frames a second", "stored as", "sessions"),
        [
            (
                way.stream,
                plain(way.model),
                f"{way.width}×{way.height}",
                number_text(way.rate_hz),
                codec_text(way),
                f"{way.sessions:,}",
            )
            for way in contents.captures
        ],
        words=(0, 1, 4),
    )
    if contents.calibrations:
        yield table(
            ("calibration", "number", "sessions", "mean error, pixels", "largest, pixels"),
            _calibration_rows(contents.calibrations),
        )


def _calibration_rows(calibrations: Sequence[Calibration]) -> list[tuple[str, ...]]:
    """One row a method; the mean error is the mean over its calibrations that have one."""
    rows: list[tuple[str, ...]] = []
    for method in sorted({each.method for each in calibrations}):
        group = [each for each in calibrations if each.method == method]
        means = [each.mean_error_pixels for each in group if each.mean_error_pixels is not None]
        worst = [each.max_error_pixels for each in group if each.max_error_pixels is not None]
        rows.append(
            (
                method,
                f"{len(group):,}",
                f"{sum(each.sessions for each in group):,}",
                rounded_text(sum(means) / len(means)) if means else "not measured",
                rounded_text(max(worst)) if worst else "not measured",
            )
        )
    return rows


def _consent(contents: Contents) -> Iterator[str]:
    consents = contents.consents
    if contents.simulated_subjects == contents.subjects:
        yield "No person was recorded, so nobody had to consent."
        return
    if consents is None or consents.without_record == len(contents.subjects):
        yield "The study holds no consent records: they are kept elsewhere."
        return
    yield table(
        ("consented", "released subjects"),
        [
            (words, f"{consents.subjects_by_scope.get(scope, 0):,}")
            for scope, words in _SCOPES.items()
        ],
    )
    forms = listed(f"{plain(form)} ({count})" for form, count in consents.form_versions.items())
    yield paragraph(f"Versions of the form, with the number of subjects who signed it: {forms}.")
    simulated = len(contents.simulated_subjects)
    if consents.without_record:
        yield paragraph(
            f"Released subjects without a record: {consents.without_record}, of them simulated: "
            f"{simulated}."
        )


def _faces(contents: Contents) -> Iterator[str]:
    presets = listed(sorted({f"`{line['alignment']}`" for line in contents.lines}))
    yield paragraph(
        "Each session was made into one shard. The face was looked for in every color frame, 68 "
        "landmarks were followed, and the face was brought upright to a fixed place by a "
        f"similarity (preset {presets}). Depth and thermal were drawn into the same crop, the "
        "frame nearest in time. Pixels are kept without loss; beside them stand times, landmarks "
        "in pixels of the source, crop matrices, head pose, measures of quality, and for each "
        "frame what is valid, or why not."
    )
    if contents.landmark_models:
        hashes = listed(f"`{sha256}`" for sha256 in contents.landmark_models)
        yield f"SHA-256 of the landmark model: {hashes}."
    if contents.versions:
        made = listed(f"{name} {version}" for name, version in contents.versions.items())
        yield paragraph(f"The release was made with {made}.")


def _ratings(contents: Contents) -> Iterator[str]:
    if contents.ratings is None:
        yield "The study holds no ratings of these sessions."
    else:
        yield paragraph(_rating_text(contents.ratings))
        yield answer_or_gap(contents, "raters")
    if contents.annotation is not None:
        yield bullets(annotation_text(contents.annotation))


def _rating_text(ratings: Ratings) -> str:
    kinds = listed(f"{count:,} {kind}" for kind, count in ratings.kinds.items())
    where = "are in this release, under codes" if ratings.is_included else "are not in this release"
    noun = "rater" if ratings.raters == 1 else "raters"
    return (
        f"{ratings.raters:,} {noun} gave {ratings.takes:,} traces (by kind: {kinds}). A trace is "
        f"one rater, one session, one dimension. The traces themselves {where}."
    )


def label_blocks(contents: Contents, label: LabelSummary) -> Iterator[str]:
    """How one label was made."""
    made = sorted(
        {str(document["created_utc"])[: len("2026-07-30")] for document in label.documents}
    )
    when = f" between {made[0]} and {made[-1]}" if len(made) > 1 else f" on {listed(made)}"
    yield paragraph(
        f"`{label.name}` was made{when} by the method {label_method(label)}. What methods do "
        "stands in mavfer's documentation, docs/agreement.md."
    )
    rows = [
        row
        for each in contents.study["dimensions"]
        if (row := _dimension_row(label, each["name"])) is not None
    ]
    if rows:
        yield table(
            ("dimension", "raters", "of them doubtful", "median delay, s", "delay known from"),
            rows,
            words=(0, 4),
        )
        yield paragraph(
            "Doubtful raters are those whose traces are unlike all others; reasons stand in the "
            "label's own document, which names raters by code."
        )


def _dimension_row(label: LabelSummary, dimension: str) -> tuple[str, ...] | None:
    """What the label's documents say of one dimension; None where they say nothing of raters."""
    told = [document["dimensions"].get(dimension, {}) for document in label.documents]
    raters = {code for about in told for code in about.get("raters", ())}
    if not raters:
        return None
    flagged = {code for about in told for code in about.get("flagged", {})}
    lags = [lag for about in told for lag in about.get("lags_seconds", ()) if lag is not None]
    sources = Counter(source for about in told for source in about.get("lag_sources", ()))
    return (
        dimension,
        f"{len(raters):,}",
        f"{len(flagged):,}",
        number_text(median(lags)) if lags else "–",
        ", ".join(plain(source) for source, _ in sources.most_common()) or "–",
    )


def _agreement(contents: Contents) -> Iterator[str]:
    known = {line.statistic for line in contents.agreement}
    shown = [name for name in _SHOWN_STATISTICS if name in known]
    groups = sorted({(line.dimension, line.raters) for line in contents.agreement})
    rows = [
        (
            dimension,
            raters,
            *(_agreed(contents.agreement, dimension, raters, name) for name in shown),
        )
        for dimension, raters in groups
    ]
    yield table(("dimension", "raters", *(STATISTICS[name] for name in shown)), rows, words=(0, 1))
    yield paragraph(
        "Over all rated sessions of the study, with 95 % intervals for other sessions of the same "
        "kind. CCC, Pearson and RMSE are means over pairs of raters; ICC(A,1) is about one rater, "
        'ICC(A,k) about the mean of all; "unflagged" leaves doubtful raters out.'
    )


def _agreed(lines: Sequence[AgreementLine], dimension: str, raters: str, name: str) -> str:
    wanted = (dimension, raters, name)
    for line in lines:
        if (line.dimension, line.raters, line.statistic) == wanted:
            ends = f" [{rounded_text(line.low)}, {rounded_text(line.high)}]"
            return rounded_text(line.value) + (ends if isfinite(line.low) else "")
    return "–"
