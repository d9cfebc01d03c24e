"""What the documents of a release tell, gathered from the study that it is made from."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from mavfer.files import read_csv, read_json
from mavfer.release.contents import (
    AgreementLine,
    Calibration,
    Capture,
    Consents,
    Contents,
    LabelSummary,
    Ratings,
    SplitSummary,
)
from mavfer.release.questions import ANSWERS_FILE, read_answers
from mavfer.release.summaries import summarize_column, summarize_values
from mavfer.schema import require_valid
from mavfer.streams import STREAM_NAMES
from mavfer.study.labels import label_path, read_label
from mavfer.study.ratings import find_ratings
from mavfer.study.session import Session
from mavfer.study.shards import Shard
from mavfer.study.splits import read_split, split_path
from mavfer.study.study import software_versions

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from mavfer.release.contents import ColumnSummary, LeftOut, ReleasedFile, Withdrawal
    from mavfer.study.study import Study

    Line = dict[str, Any]

__all__ = ["gather_contents"]

_YEAR_AND_MONTH: Final = len("2026-07")
_ENDS: Final = ("value", "low", "high")


def gather_contents(
    study: Study,
    lines: Sequence[Line],
    files: Sequence[ReleasedFile],
    *,
    version: str,
    created_utc: str,
    labels: Sequence[str] = (),
    splits: Sequence[str] = (),
    with_ratings: bool = False,
    is_plain: bool = False,
    left_out: Sequence[LeftOut] = (),
    withdrawals: Sequence[Withdrawal] = (),
) -> Contents:
    """All that the documents of a release tell.

    Args:
        study: The study that the release is made from.
        lines: Index of the released shards, by which everything else is chosen.
        files: Files of the release so far.
        version: Version of the release.
        created_utc: When it was made.
        labels: Names of the released labels; one that no released session has is left out.
        splits: Names of the released splits.
        with_ratings: Whether the release has the ratings themselves.
        is_plain: Whether it has plain copies of the shards.
        left_out: What was kept back, by reason.
        withdrawals: Erasures from the study so far.

    Raises:
        InvalidFile: A file of the study is torn or against its schema, or `datasheet.toml` is.
        NotFound: There is no such split.
    """
    lines = sorted(lines, key=lambda line: line["session"])
    plain = Contents(
        study=study.document,
        version=version,
        created_utc=created_utc,
        lines=tuple(lines),
        files=tuple(sorted(files, key=lambda file: file.path)),
        is_plain=is_plain,
        left_out=tuple(sorted(left_out, key=lambda each: each.reason)),
        withdrawals=tuple(sorted(withdrawals, key=lambda each: each.date)),
        versions=software_versions(),
        answers=read_answers(study.root / ANSWERS_FILE),
    )
    sessions = [_read_session(study, line["session"]) for line in lines]
    present = [session for session in sessions if session is not None]
    found_labels = [_label(study, name, lines) for name in sorted(labels)]
    return replace(
        plain,
        columns=_columns(study, plain.subjects),
        labels=tuple(label for label in found_labels if label.documents),
        splits=tuple(_split(study, name, plain.subjects) for name in sorted(splits)),
        annotation=_annotation(study),
        ratings=_ratings(study, lines, is_included=with_ratings),
        agreement=_agreement(study),
        consents=_consents(study, plain.subjects),
        captures=_captures(present),
        recorded_months=_recorded_months(present),
        calibrations=_calibrations(study, present),
        landmark_models=_landmark_models(study, lines),
    )


def _columns(study: Study, subjects: Sequence[str]) -> tuple[ColumnSummary, ...]:
    columns = study.participants()
    rows = [row for row, code in enumerate(columns["subject"]) if code in subjects]
    return tuple(
        summarize_column(name, [cells[row] for row in rows])
        for name, cells in columns.items()
        if name != "subject"
    )


def _label(study: Study, name: str, lines: Sequence[Line]) -> LabelSummary:
    """The label of those released sessions that have it."""
    labelled = [line for line in lines if label_path(study, name, line["session"]).is_file()]
    dimensions = [each["name"] for each in study.document["dimensions"]]
    tables = [
        read_label(study, name, line["session"], line["frames"], dimensions) for line in labelled
    ]
    classes = [code for table in tables for code in table.expression.tolist() if code >= 0]
    return LabelSummary(
        name=name,
        documents=tuple(_label_documents(study, name, labelled)),
        values={
            dimension: summarize_values(np.concatenate([t.values[dimension] for t in tables]))
            for dimension in dimensions
            if tables
        },
        expressions=_by_class(study, classes),
    )


def _label_documents(study: Study, name: str, lines: Iterable[Line]) -> Iterator[Line]:
    for line in lines:
        path = label_path(study, name, line["session"]).with_suffix(".json")
        document = read_json(path)
        require_valid(document, "label", path)
        yield document


def _by_class(study: Study, classes: Sequence[int]) -> dict[str, int]:
    """Frames by name of the class, in the study's order; a class without a name is its number."""
    names = study.document["expression_classes"]
    counts = sorted(Counter(classes).items())
    return {names[code] if code < len(names) else str(code): count for code, count in counts}


def _split(study: Study, name: str, subjects: Sequence[str]) -> SplitSummary:
    split = read_split(study, name)
    folds = tuple(
        {part: tuple(sorted(set(codes) & set(subjects))) for part, codes in fold.items()}
        for fold in split.folds
    )
    return SplitSummary(name, str(read_json(split_path(study, name))["kind"]), folds)


def _annotation(study: Study) -> Line | None:
    path = study.root / "annotation.json"
    if not path.is_file():
        return None
    document = read_json(path)
    require_valid(document, "annotation", path)
    return cast("Line", document)


def _ratings(study: Study, lines: Sequence[Line], *, is_included: bool) -> Ratings | None:
    found = [rating for line in lines for rating in find_ratings(study, line["session"])]
    if not found:
        return None
    kinds = Counter(read_json(path.with_suffix(".json"))["kind"] for *_, path in found)
    raters = len({rater for _, rater, _, _ in found})
    return Ratings(raters, len(found), dict(sorted(kinds.items())), is_included)


def _agreement(study: Study) -> tuple[AgreementLine, ...]:
    """The table of dimensions that `mavfer agree` wrote, which names no rater."""
    path = study.reports_folder / "agreement" / "dimensions.csv"
    if not path.is_file():
        return ()
    table = read_csv(path)
    words = zip(table["dimension"], table["raters"], table["statistic"], strict=True)
    numbers = zip(*([float(cell or "nan") for cell in table[key]] for key in _ENDS), strict=True)
    return tuple(AgreementLine(*told, *of) for told, of in zip(words, numbers, strict=True))


def _consents(study: Study, subjects: Sequence[str]) -> Consents:
    records = {}
    for subject in subjects:
        path = study.consent_path(subject)
        if path.is_file():
            records[subject] = read_json(path)
            require_valid(records[subject], "consent", path)
    scopes = Counter(scope for record in records.values() for scope in record["scope"])
    forms = Counter(record["form_version"] for record in records.values())
    printable = [code for code, record in records.items() if "publish_images" in record["scope"]]
    return Consents(
        subjects_by_scope=dict(scopes),
        form_versions=dict(sorted(forms.items())),
        without_record=len(subjects) - len(records),
        publishable=tuple(sorted(printable)),
    )


def _read_session(study: Study, name: str) -> Session | None:
    """None where a study has shards without the sessions that they were made from."""
    folder = study.session_folder(name)
    return Session.open(folder) if (folder / "session.json").is_file() else None


def _captures(sessions: Sequence[Session]) -> tuple[Capture, ...]:
    """Ways in which streams were captured; sessions captured the same way are counted."""
    counts: Counter[Capture] = Counter()
    for session in sessions:
        for name in session.streams:
            about = session.document["streams"][name]
            way = Capture(
                stream=name,
                model=about["model"],
                width=about["width"],
                height=about["height"],
                rate_hz=about["rate_hz"],
                codec=about.get("codec"),
                is_lossless_copy=about.get("lossless_copy", False),
                sessions=0,
            )
            counts[way] += 1
    ways = [replace(way, sessions=count) for way, count in counts.items()]
    return tuple(sorted(ways, key=lambda way: (STREAM_NAMES.index(way.stream), str(way))))


def _recorded_months(sessions: Sequence[Session]) -> tuple[str, str] | None:
    """First and last month; of an imported video nobody knows when it was taken."""
    recorded = [session.document for session in sessions if session.document.get("source") is None]
    months = sorted(str(document["created_utc"])[:_YEAR_AND_MONTH] for document in recorded)
    return (months[0], months[-1]) if months else None


def _calibrations(study: Study, sessions: Sequence[Session]) -> tuple[Calibration, ...]:
    counts = Counter(session.calibration for session in sessions if session.calibration)
    found = []
    for name, count in sorted(counts.items()):
        path = study.calibration_path(name)
        document = read_json(path)
        require_valid(document, "calibration", path)
        error = document["error_px"] or {"mean": None, "max": None}
        found.append(Calibration(name, document["method"], error["mean"], error["max"], count))
    return tuple(found)


def _landmark_models(study: Study, lines: Sequence[Line]) -> tuple[str, ...]:
    shards = (Shard(study.shard_path(line["session"])) for line in lines)
    return tuple(
        sorted({str(shard.attributes["landmark_model_sha256"]) for shard in shards} - {""})
    )
