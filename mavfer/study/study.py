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
    def open(cls, root: Path, *, writable: bool = False) -> Study:
        """The study or release in the folder `root`.

        Args:
            root: Folder with study.json.
            writable: Something will be written into it, which a release does not take.

        Raises:
            NotFound: There is no study.
            InvalidFile: `study.json` is torn or against its schema.
            CommandError: It is to be written, and is a release.
        """
        path = root / "study.json"
        if not path.is_file():
            raise NotFound(_no_study(root))
        document = read_json(path)
        require_valid(document, "study", path)
        study = cls(root, document)
        if writable:
            study.require_writable()
        return study

    @property
    def release_path(self) -> Path:
        """Manifest, in a release alone."""
        return self.root / "release.json"

    @property
    def is_release(self) -> bool:
        """Whether this is a release, which nobody writes into."""
        return self.release_path.is_file()

    def require_writable(self) -> None:
        """Returns where this may be written into: it is no release.

        Raises:
            CommandError: It is one.
        """
        if self.is_release:
            document = read_json(self.release_path)
            message = (
                f"{self.root}: is a release, made {str(document.get('created_utc'))[:10]}, and is "
                f"never changed. Work on the study that it was made from, or on a copy as "
                f"docs/release.md tells"
            )
            raise CommandError(message)

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
        """Ids of all sessions, sorted; unfinished imports are not among them.

        A release has no raw sessions, its shards tell which there are.
        """
        if self.is_release:
            names = [path.stem for path in self.shards_folder.glob("[!.]*.h5")]
        elif self.sessions_folder.is_dir():
            names = [path.name for path in self.sessions_folder.iterdir() if path.is_dir()]
        else:
            names = []
        return sorted(name for name in names if _SESSION.fullmatch(name))

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
        """Adds a row for `subject`, other columns empty, where there is none yet.

        Raises:
            CommandError: The code is not a subject code, or this is a release.
        """
        self.require_writable()
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
            CommandError: The code is not a subject code, or this is a release.
        """
        self.require_writable()
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


def _no_study(root: Path) -> str:
    """What to say where no study is: in the folder of a release's plain copies, where to look."""
    if (root.parent / "release.json").is_file():
        return (
            f"{root}: a folder of the release {root.parent}, not a study; its plain copies are for "
            f"readers without mavfer. Give {root.parent}"
        )
    return f"{root}: no study here (study.json is missing). Make one: mavfer init {root}"


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
