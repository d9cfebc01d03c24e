"""The study's folder: where every file lies, and the files that hold for all sessions.

No other module glues strings into paths of a study.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any, Final

from mavfer.errors import AlreadyThere, CommandError, NotFound
from mavfer.files import read_csv, read_json, sha256_of, write_csv, write_json
from mavfer.schema import columns_from_text, require_valid
from mavfer.streams import STREAM_NAMES
from mavfer.study.lock import study_lock

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["Study", "software_versions", "utc_now"]

_SUBJECT: Final = re.compile(r"^[A-Za-z0-9_]{1,32}$")
_SESSION: Final = re.compile(r"^[A-Za-z0-9_]{1,32}-[0-9]{3}$")
_NAME: Final = re.compile(r"^[A-Za-z0-9_.-]+$")
_TAKES_A_SUBJECT: Final = 999

_DIMENSIONS: Final = [
    {"name": "arousal", "low": -1, "high": 1, "low_word": "calm", "high_word": "excited"},
    {"name": "valence", "low": -1, "high": 1, "low_word": "unpleasant", "high_word": "pleasant"},
]

_VERSIONED_PACKAGES: Final = ("mavfer", "numpy", "h5py", "hdf5plugin", "numcodecs")


@dataclass(frozen=True)
class Study:
    """One study on disk; opening it reads `study.json` and nothing else."""

    root: Path
    document: dict[str, Any]
    """Content of study.json."""

    @classmethod
    def create(cls, root: Path, *, name: str | None = None, licence: str | None = None) -> Study:
        """A new, empty study in the folder `root`.

        Raises:
            AlreadyThere: `root` holds a study, or other files.
        """
        if (root / "study.json").exists():
            message = f"{root}: holds a study already. Use it, or choose another folder"
            raise AlreadyThere(message)
        if root.exists() and (not root.is_dir() or any(_visible(root))):
            message = f"{root}: exists and is not an empty folder. Choose another name"
            raise AlreadyThere(message)
        document = {
            "format": "mavfer.study",
            "version": 1,
            "name": name or root.resolve().name,
            "description": "",
            "created_utc": utc_now(),
            "licence": licence,
            "contact": None,
            "dimensions": _DIMENSIONS,
            "expression_classes": [],
            "streams": list(STREAM_NAMES),
            "retention_until": None,
            "versions": software_versions(),
        }
        require_valid(document, "study", root / "study.json")
        study = cls(root, document)
        for folder in ("sessions", "shards", "media", "calibration", "consents"):
            (root / folder).mkdir(parents=True, exist_ok=True)
        write_csv(study.participants_path, {"subject": []})
        write_json(root / "study.json", document)
        return study

    @classmethod
    def open(cls, root: Path) -> Study:
        """The study in the folder `root`.

        Raises:
            NotFound: There is no study.
            InvalidFile: `study.json` is torn or against its schema.
        """
        path = root / "study.json"
        if not path.is_file():
            message = f"{root}: no study here (study.json is missing). Make one: mavfer init {root}"
            raise NotFound(message)
        document = read_json(path)
        require_valid(document, "study", path)
        return cls(root, document)

    # Names of files and folders.

    @property
    def participants_path(self) -> Path:
        """Table of the subjects."""
        return self.root / "participants.csv"

    @property
    def sessions_folder(self) -> Path:
        """Folder of all sessions."""
        return self.root / "sessions"

    @property
    def shards_folder(self) -> Path:
        """Folder of the shards and their index."""
        return self.root / "shards"

    @property
    def index_path(self) -> Path:
        """Index of the shards."""
        return self.shards_folder / "index.jsonl"

    @property
    def media_folder(self) -> Path:
        """Folder of the videos that raters see."""
        return self.root / "media"

    @property
    def labels_folder(self) -> Path:
        """Folder of all labels, one folder a name."""
        return self.root / "labels"

    @property
    def ratings_folder(self) -> Path:
        """Folder of all ratings, one folder a session."""
        return self.root / "ratings"

    @property
    def splits_folder(self) -> Path:
        """Folder of the divisions by subject."""
        return self.root / "splits"

    @property
    def reports_folder(self) -> Path:
        """Folder of pages made from the study; may be deleted at any time."""
        return self.root / "reports"

    def session_folder(self, session: str) -> Path:
        """Folder of one session.

        Raises:
            CommandError: `session` is not a session id.
        """
        if not _SESSION.fullmatch(session):
            message = f"{session!r}: not a session id (subject code, hyphen, three digits)"
            raise CommandError(message)
        return self.sessions_folder / session

    def shard_path(self, session: str) -> Path:
        """Shard of one session."""
        return self.shards_folder / f"{session}.h5"

    def media_path(self, session: str) -> Path:
        """Video of one session."""
        return self.media_folder / f"{session}.mp4"

    def media_table_path(self, session: str) -> Path:
        """Frame times of one session's video."""
        return self.media_folder / f"{session}.json"

    def calibration_path(self, name: str) -> Path:
        """File of one calibration.

        Raises:
            CommandError: `name` cannot be a file name.
        """
        if not _NAME.fullmatch(name):
            message = f"{name!r}: not a calibration name (letters, digits, _ . -)"
            raise CommandError(message)
        return self.root / "calibration" / f"{name}.json"

    def consent_path(self, subject: str) -> Path:
        """Consent record of one subject."""
        return self.root / "consents" / f"{require_subject(subject)}.json"

    # What is there.

    @property
    def name(self) -> str:
        """Name of the study."""
        return str(self.document["name"])

    def sessions(self) -> list[str]:
        """Ids of all sessions, sorted; unfinished imports are not among them."""
        if not self.sessions_folder.is_dir():
            return []
        folders = self.sessions_folder.iterdir()
        return sorted(f.name for f in folders if f.is_dir() and _SESSION.fullmatch(f.name))

    def next_session(self, subject: str) -> str:
        """Id of the next take of `subject`: the lowest number above all that are there.

        Raises:
            CommandError: The code is not a subject code, or 999 takes are there.
        """
        prefix = require_subject(subject) + "-"
        taken = [int(s.removeprefix(prefix)) for s in self.sessions() if s.startswith(prefix)]
        number = max(taken, default=0) + 1
        if number > _TAKES_A_SUBJECT:
            message = f"subject {subject}: has {_TAKES_A_SUBJECT} sessions. Use another code"
            raise CommandError(message)
        return f"{prefix}{number:03d}"

    def participants(self) -> dict[str, list[Any]]:
        """Columns of participants.csv; "subject" is always among them."""
        columns = columns_from_text(read_csv(self.participants_path), "participants")
        require_valid(columns, "participants", self.participants_path)
        return columns

    def add_participant(self, subject: str) -> None:
        """Adds a row for `subject`, other columns empty, where there is none yet."""
        columns = self.participants()
        if require_subject(subject) in columns["subject"]:
            return
        rows = {
            key: [*cells, subject if key == "subject" else None] for key, cells in columns.items()
        }
        write_csv(self.participants_path, rows)

    def write_consent(
        self, subject: str, form: Path, *, form_version: str, scope: Sequence[str]
    ) -> Path:
        """Writes the consent record of `subject` from the signed form, and adds the participant.

        Raises:
            NotFound: The form's file is not there.
            AlreadyThere: There is a record; a consent is never overwritten.
            InvalidFile: participants.csv is torn; no record is written then.
        """
        path = self.consent_path(subject)
        if not form.is_file():
            message = f"{form}: no such file. Give the scanned or printed consent form"
            raise NotFound(message)
        if path.exists():
            message = f"{path}: subject {subject} has a consent record. Move it aside to replace it"
            raise AlreadyThere(message)
        self.participants()  # before anything is written: the row could not be added
        document = {
            "format": "mavfer.consent",
            "version": 1,
            "subject": subject,
            "date": date.today().isoformat(),
            "form_name": form.name,
            "form_version": form_version,
            "form_sha256": sha256_of(form),
            "scope": list(dict.fromkeys(scope)),
            "created_utc": utc_now(),
        }
        require_valid(document, "consent", path)
        with study_lock(self):
            write_json(path, document)
            self.add_participant(subject)
        return path


def _visible(folder: Path) -> list[Path]:
    """What is in a folder, without dot files such as those of version control."""
    return [path for path in folder.iterdir() if not path.name.startswith(".")]


def require_subject(code: str) -> str:
    """`code` itself, if it can be a subject code.

    Raises:
        CommandError: It cannot.
    """
    if not _SUBJECT.fullmatch(code):
        message = f"{code!r}: not a subject code (1 to 32 letters, digits or _)"
        raise CommandError(message)
    return code


def utc_now() -> str:
    """This moment, as files spell it: 2026-01-31T12:00:00Z."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def software_versions(*more: str) -> dict[str, str]:
    """Versions of mavfer, of what it always stands on, and of `more` packages, where installed."""
    found = {}
    for package in (*_VERSIONED_PACKAGES, *more):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
