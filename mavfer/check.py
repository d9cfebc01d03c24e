"""Holds a whole study against its schemas, and its files against each other.

Nothing but the index of the shards is changed, and hidden files (those of operating systems and of
version control) are not looked at. Every file is opened by the code that owns its format, so what
passes here is what the rest of mavfer can read.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from mavfer.errors import MavferError, MissingExtra
from mavfer.files import read_csv, read_json, sha256_of
from mavfer.progress import counted, progress
from mavfer.release.copying import PLAIN_FOLDER
from mavfer.release.manifest import find_differences
from mavfer.schema import columns_from_text, require_valid
from mavfer.study.hdf5 import open_hdf5, require_valid_hdf5
from mavfer.study.labels import label_names, label_path, read_label
from mavfer.study.media_writer import media_pts
from mavfer.study.plain_copy import verify_plain_copy
from mavfer.study.ratings import find_ratings, read_rating
from mavfer.study.results import read_predictions
from mavfer.study.session import Session
from mavfer.study.session_files import compare_files
from mavfer.study.shard_index import read_index
from mavfer.study.shards import Shard
from mavfer.study.splits import read_split, split_names
from mavfer.study.streams_file import open_streams
from mavfer.study.study import Study
from mavfer.study.video_copy import count_packets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

__all__ = ["CheckResult", "Finding", "check_study"]

_UNITS_A_MEDIA_FRAME: Final = 2
"""Ticks of 1/90000 s by which a media stamp may differ from the shard's time: rounding."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or worth knowing."""

    level: Literal["problem", "notice"]
    """A problem makes the study invalid; a notice does not."""
    text: str
    """What, where and what to do, in one line."""

    def __str__(self) -> str:
        return f"{self.level}: {self.text}"


@dataclass(frozen=True)
class CheckResult:
    """What a check found."""

    findings: tuple[Finding, ...]
    sessions: int
    shards: int

    @property
    def is_good(self) -> bool:
        """True where no finding is a problem."""
        return not any(finding.level == "problem" for finding in self.findings)

    @property
    def verdict(self) -> str:
        """One line for a person."""
        problems = sum(finding.level == "problem" for finding in self.findings)
        what = f"{counted(self.sessions, 'session')}, {counted(self.shards, 'shard')}"
        return f"valid: {what}" if self.is_good else f"{counted(problems, 'problem')} in {what}"

    def to_document(self) -> dict[str, Any]:
        """The result as JSON."""
        findings = [asdict(finding) for finding in self.findings]
        return {"valid": self.is_good, "sessions": self.sessions, "findings": findings}


def check_study(root: Path, *, with_hashes: bool = False) -> CheckResult:
    """Everything that is wrong in the study or release in the folder `root`.

    Args:
        root: The folder.
        with_hashes: Also read what was recorded, and compare it with its hashes; of a release
            everything is hashed in any case.

    Raises:
        NotFound: There is no study.
        InvalidFile: study.json itself cannot be read.
        MissingExtra: PyAV, which counts the color frames, is not installed.
    """
    study = Study.open(root)
    if study.is_release:
        return _check_release(study)
    sessions = study.sessions()
    findings: list[Finding] = []
    for before in (_check_people, _check_calibrations, _check_annotation, _check_leftovers):
        findings += _collect(before, study)
    with progress("check", len(sessions), "session") as advance:
        for name in sessions:
            for each in (_check_session, _check_shard, _check_media, _check_ratings):
                findings += _collect(each, study, name)
            findings += _collect(_check_files, study, name, with_hashes)
            advance(1)
    for after in (_check_orphans, _check_labels, _check_splits, _check_results):
        findings += _collect(after, study)
    shards = sum(study.shard_path(name).exists() for name in sessions)
    return CheckResult(tuple(dict.fromkeys(findings)), len(sessions), shards)


def _check_release(study: Study) -> CheckResult:
    """A release has no raw sessions; instead its manifest says what every byte must be."""
    sessions = study.sessions()
    findings: list[Finding] = []
    for before in (_check_manifest, _check_people, _check_index, _check_splits):
        findings += _collect(before, study)
    with progress("check", len(sessions), "shard") as advance:
        for name in sessions:
            for each in (_check_released_shard, _check_ratings):
                findings += _collect(each, study, name)
            advance(1)
    return CheckResult(tuple(dict.fromkeys(findings)), len(sessions), len(sessions))


def _check_manifest(study: Study) -> Iterator[Finding]:
    for text in find_differences(study.root):
        yield _problem(text)


def _check_index(study: Study) -> Iterator[Finding]:
    read_index(study)
    yield from ()


def _check_released_shard(study: Study, name: str) -> Iterator[Finding]:
    shard = Shard(study.shard_path(name))
    shard.verify()
    if shard.attributes["subject"] not in study.participants()["subject"]:
        yield _problem(f"{shard.path}: its subject is not in participants.csv")
    if (study.root / PLAIN_FOLDER).is_dir():
        verify_plain_copy(study.root / PLAIN_FOLDER / f"{name}.h5")


def _collect(step: Callable[..., Iterator[Finding]], *arguments: Any) -> list[Finding]:
    """Findings of one step; an error that ends it is a problem like any other.

    Steps call it for each of their files, so that one torn file does not hide the next.
    """
    found: list[Finding] = []
    try:
        found.extend(step(*arguments))
    except MissingExtra:
        raise  # of this machine, not of the study
    except MavferError as error:
        found.append(_problem(str(error)))
    return found


def _problem(text: str) -> Finding:
    return Finding("problem", text)


def _check_people(study: Study) -> Iterator[Finding]:
    subjects = study.participants()["subject"]
    twice = sorted({code for code in subjects if subjects.count(code) > 1})
    if twice:
        yield _problem(f"{study.participants_path}: subjects twice: {', '.join(twice)}")
    for path in sorted((study.root / "consents").glob("[!.]*.json")):
        yield from _collect(_check_consent, path)


def _check_consent(path: Path) -> Iterator[Finding]:
    document = read_json(path)
    require_valid(document, "consent", path)
    if document["subject"] != path.stem:
        yield _problem(f"{path}: is the consent of subject {document['subject']}. Rename it")


def _check_calibrations(study: Study) -> Iterator[Finding]:
    for path in sorted((study.root / "calibration").glob("[!.]*.json")):
        yield from _collect(_check_calibration, path)


def _check_calibration(path: Path) -> Iterator[Finding]:
    document = read_json(path)
    require_valid(document, "calibration", path)
    if document["name"] != path.stem:
        yield _problem(f"{path}: calls itself {document['name']}. Rename it")


def _check_annotation(study: Study) -> Iterator[Finding]:
    path = study.root / "annotation.json"
    if not path.exists():
        return
    document = read_json(path)
    require_valid(document, "annotation", path)
    unknown = sorted(set(document["sessions"]) - set(study.sessions()))
    if unknown:
        yield _problem(f"{path}: sessions that are not there: {', '.join(unknown)}")


def _check_leftovers(study: Study) -> Iterator[Finding]:
    for path in sorted(study.root.rglob("*.part")):
        yield Finding("notice", f"{path}: left over from a run that was stopped; may be deleted")


def _check_session(study: Study, name: str) -> Iterator[Finding]:
    session = Session.open(study.session_folder(name))
    if session.state == "recording":
        where = f"mavfer audit {session.folder}"
        yield _problem(f"{name}: was cut short, or is being recorded. Run {where}")
        return
    if session.subject not in study.participants()["subject"]:
        yield _problem(f"{name}: subject {session.subject} is not in participants.csv. Add the row")
    yield from _check_references(study, session)
    frames = count_packets(session.color_path)
    stamps = len(session.times("color"))
    if frames != stamps:
        yield _problem(f"{session.color_path}: {frames} frames, but {stamps} stamps in streams.h5")
    with open_streams(session.streams_path) as file:
        for stream in session.streams:
            rows = file[f"{stream}/times"].shape[0]
            pictures = file.count_frames(stream) if stream != "color" else rows
            if rows != pictures:
                yield _problem(
                    f"{session.streams_path}: {stream}: {pictures} frames, {rows} stamps"
                )
    if session.truth_path.exists():
        with open_hdf5(session.truth_path) as file:
            require_valid_hdf5(file, "truth", session.truth_path)
        if session.document["kind"] != "simulated":
            yield _problem(f"{session.truth_path}: only simulated sessions have a truth")


def _check_files(study: Study, name: str, with_hashes: bool) -> Iterator[Finding]:
    """What was recorded is there, and what it was when its take was finished."""
    session = Session.open(study.session_folder(name))
    if session.state == "recording":
        return
    for file, report in compare_files(session, is_quick=not with_hashes).items():
        path = session.folder / file
        if report.state == "missing":
            yield _problem(f"{path}: recorded with the take, and missing. Restore it from a copy")
        elif report.state == "changed":
            yield _problem(f"{path}: changed since the take was recorded. Restore it from a copy")


def _check_references(study: Study, session: Session) -> Iterator[Finding]:
    """Consent and calibration are there and are those that were in force."""
    document = session.document
    if session.calibration is not None:
        path = study.calibration_path(session.calibration)
        if not path.is_file():
            yield _problem(f"{path}: missing; session {session.name} needs it. Copy it back")
        elif sha256_of(path) != document["calibration_sha256"]:
            yield _problem(f"{path}: changed since session {session.name} was recorded")
    if document["consent_sha256"] is not None:
        path = study.consent_path(session.subject)
        if not path.is_file() or sha256_of(path) != document["consent_sha256"]:
            yield _problem(f"{path}: missing, or changed since session {session.name} was recorded")


def _check_shard(study: Study, name: str) -> Iterator[Finding]:
    path = study.shard_path(name)
    if not path.exists():
        yield Finding("notice", f"{name}: no shard yet. Run mavfer preprocess {study.root}")
        return
    shard = Shard(path)
    shard.verify()
    stamps = len(Session.open(study.session_folder(name)).times("color"))
    if shard.frames != stamps:
        yield _problem(f"{path}: {shard.frames} rows, but the session has {stamps} color frames")


def _check_media(study: Study, name: str) -> Iterator[Finding]:
    path, table_path = study.media_path(name), study.media_table_path(name)
    if not table_path.exists() and not path.exists():
        return
    table = read_json(table_path)
    require_valid(table, "media", table_path)
    if not path.is_file() or sha256_of(path) != table["video_sha256"]:
        yield _problem(f"{path}: missing, or not that of its table. Delete it and preprocess again")
    if study.shard_path(name).exists():
        host_ns = Shard(study.shard_path(name)).column("host_ns")
        pts = np.asarray(table["pts"])
        if (
            len(pts) != len(host_ns)
            or np.abs(pts - media_pts(host_ns)).max() > _UNITS_A_MEDIA_FRAME
        ):
            yield _problem(
                f"{table_path}: frame times are not those of the shard. Delete it and preprocess "
                f"again"
            )


def _check_ratings(study: Study, name: str) -> Iterator[Finding]:
    known = {dimension["name"] for dimension in study.document["dimensions"]}
    for dimension, _, _, path in find_ratings(study, name):
        if dimension not in known:
            yield _problem(f"{path}: dimension {dimension} is not in study.json")
        yield from _collect(_check_rating, path)


def _check_rating(path: Path) -> Iterator[Finding]:
    if sha256_of(path) != read_rating(path).document["samples_sha256"]:
        yield _problem(f"{path}: samples changed since they were collected")


def _check_orphans(study: Study) -> Iterator[Finding]:
    """Shards, media and ratings whose session is gone; and shards that are listed but gone."""
    sessions = set(study.sessions())
    products = [*study.shards_folder.glob("[!.]*.h5"), *study.media_folder.glob("[!.]*.mp4")]
    for path in sorted(products):
        if path.stem not in sessions:
            yield _problem(f"{path}: its session is not there. Delete it, or restore the session")
    for folder in sorted((study.root / "ratings").glob("[!.]*")):
        if folder.name not in sessions:
            yield _problem(f"{folder}: ratings of a session that is not there")
    read_index(study)


def _check_labels(study: Study) -> Iterator[Finding]:
    for name in label_names(study):
        files = (study.labels_folder / name).glob("[!.]*")
        for session in sorted({path.stem for path in files if path.suffix in {".csv", ".json"}}):
            yield from _collect(_check_label, study, name, session)


def _check_label(study: Study, name: str, session: str) -> Iterator[Finding]:
    values = label_path(study, name, session)
    document = read_json(values.with_suffix(".json"))
    require_valid(document, "label", values.with_suffix(".json"))
    require_valid(columns_from_text(read_csv(values), "label-frames"), "label-frames", values)
    if sha256_of(values) != document["frames_sha256"]:
        yield _problem(f"{values}: changed since the label was made")
    if not study.shard_path(session).exists():
        yield _problem(f"{values}: session {session} has no shard")
        return
    dimensions = [dimension["name"] for dimension in study.document["dimensions"]]
    read_label(study, name, session, Shard(study.shard_path(session)).frames, dimensions)


def _check_splits(study: Study) -> Iterator[Finding]:
    for name in split_names(study):
        yield from _collect(_check_split, study, name)


def _check_split(study: Study, name: str) -> Iterator[Finding]:
    split = read_split(study, name)
    named = {code for fold in split.folds for codes in fold.values() for code in codes}
    unknown = sorted(named - set(study.participants()["subject"]))
    if unknown:
        codes = ", ".join(unknown)
        yield _problem(f"split {name}: subjects that are not in participants.csv: {codes}")


def _check_results(study: Study) -> Iterator[Finding]:
    for path in sorted((study.root / "results").glob("[!.]*/result.json")):
        yield from _collect(_check_result, path)


def _check_result(path: Path) -> Iterator[Finding]:
    document = read_json(path)
    require_valid(document, "result", path)
    predictions = path.with_name("predictions.csv")
    read_predictions(predictions)
    if sha256_of(predictions) != document["predictions_sha256"]:
        yield _problem(f"{predictions}: changed since the run ended")
