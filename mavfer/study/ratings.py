"""Ratings: the raw samples of one rater, and their value at given moments."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mavfer.errors import AlreadyThere, CommandError, InvalidFile, NotFound
from mavfer.files import read_csv, read_json, replacing, sha256_of, write_csv, write_json
from mavfer.schema import columns_from_text, load_schema, require_valid
from mavfer.study.study import software_versions, utc_now

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from mavfer.study.study import Study

__all__ = [
    "PAUSED",
    "SAMPLE_COLUMNS",
    "Rating",
    "find_ratings",
    "rating_at",
    "rating_path",
    "read_latest_rating",
    "read_rating",
    "read_rating_and_repeat",
    "write_rating",
]

SAMPLE_COLUMNS: Final = ("media_time", "frame", "clock_ms", "value", "flags")
"""Columns of docs/formats.md, 'rating-samples'."""

PAUSED: Final = 1
"""Flag of samples given while the media stood still; they are kept and not used."""

LONGEST_GAP_SECONDS: Final = 0.5
"""Between samples further apart nothing is known."""

_EDGE_SECONDS: Final = 1 / 90_000
"""A media time is rounded to this, a frame's time is not: a run of samples holds so much longer."""

_FILE: Final = re.compile(r"^(?P<dimension>[a-z][a-z0-9_]*)\.(?P<rater>\w{1,32})\.(?P<take>\d+)$")
_RATER: Final = re.compile(r"^[A-Za-z0-9_]{1,32}$")


@dataclass(frozen=True)
class Rating:
    """One trace of one rater, as it came."""

    session: str
    dimension: str
    rater: str
    take: int
    is_complete: bool
    media_time: NDArray[np.float64]
    """(N,), seconds of the media."""
    value: NDArray[np.float64]
    """(N,), NaN where nothing was given."""
    flags: NDArray[np.int64]
    """(N,), bits of docs/formats.md, 'rating-samples'."""
    passes: tuple[tuple[int, int], ...]
    """First sample and number of samples of each pass, in order."""
    document: dict[str, Any]
    """The JSON beside the samples."""

    @property
    def is_hidden_repeat(self) -> bool:
        """Whether the rater was shown the session again, to see how far they agree with themselves.

        Such a take never counts as what the rater said of the session.
        """
        return bool(self.document["settings"].get("hidden_repeat", False))


def rating_path(study: Study, session: str, dimension: str, rater: str, take: int) -> Path:
    """File of the samples of one take.

    Raises:
        CommandError: The codes cannot stand in a file's name.
    """
    path = study.ratings_folder / session / f"{dimension}.{rater}.{take:03d}.csv"
    if not _FILE.match(path.stem) or not _RATER.match(rater):
        message = (
            f"{path.stem!r}: not a rating's name (dimension in small letters, rater of 1 to 32 "
            f"letters, digits or _)"
        )
        raise CommandError(message)
    return path


def write_rating(
    study: Study, document: Mapping[str, Any], samples: Mapping[str, Sequence[object]]
) -> Path:
    """Writes the samples of one take as they came, and the JSON that tells how; gives the CSV.

    Numbers read back equal. The CSV comes last, so that a rating that is there is whole.

    Args:
        study: The study.
        document: Content of the JSON (docs/formats.md, 'rating'). What is not given is filled in:
            format, version, count and hash of the samples, versions, and now as the time.
        samples: SAMPLE_COLUMNS of equal length; None or NaN where a frame or a value is missing.

    Raises:
        AlreadyThere: The take is there; a rating is never overwritten.
        CommandError: A code cannot be a code, or this is a release.
        InvalidFile: Samples or document are against their schema.
    """
    study.require_writable()
    session, dimension, rater = (document[key] for key in ("session", "dimension", "rater"))
    path = rating_path(study, session, dimension, rater, document["take"])
    beside = path.with_suffix(".json")
    if path.exists() and beside.exists():
        message = f"{path}: this take is there, and a rating is never overwritten. Use a new take"
        raise AlreadyThere(message)
    columns = {name: _cells(samples[name]) for name in SAMPLE_COLUMNS}
    require_valid(columns, "rating-samples", path)
    with replacing(path) as part:
        write_csv(part, columns)
        whole = {
            "format": "mavfer.rating",
            "version": 1,
            "created_utc": utc_now(),
            "versions": software_versions(),
            **document,
            "samples": len(columns["media_time"]),
            "samples_sha256": sha256_of(part),
        }
        require_valid(whole, "rating", beside)
        write_json(beside, whole)
    return path


def find_ratings(study: Study, session: str) -> list[tuple[str, str, int, Path]]:
    """(dimension, rater, take, file) of every rating of a session, sorted."""
    found = []
    for path in (study.ratings_folder / session).glob("*.csv"):
        match = _FILE.match(path.stem)
        if match:
            found.append((match["dimension"], match["rater"], int(match["take"]), path))
    return sorted(found)


def read_rating(path: Path) -> Rating:
    """The rating whose samples are in `path` (`<dimension>.<rater>.<take>.csv`).

    Raises:
        NotFound: The samples or the JSON beside them are missing.
        InvalidFile: They are torn, against their schema, or their counts differ.
    """
    document_path = path.with_suffix(".json")
    document = read_json(document_path)
    require_valid(document, "rating", document_path)
    columns = _read_samples(path)
    count = len(columns["media_time"])
    if count != document["samples"]:
        message = f"{path}: {count} samples, {document_path.name} says {document['samples']}"
        raise InvalidFile(message)
    passes = tuple((p["first_sample"], p["samples"]) for p in document["passes"])
    if any(first + samples > count for first, samples in passes):
        message = f"{document_path}: a pass goes beyond the {count} samples"
        raise InvalidFile(message)
    return Rating(
        session=document["session"],
        dimension=document["dimension"],
        rater=document["rater"],
        take=document["take"],
        is_complete=document["is_complete"],
        media_time=np.asarray(columns["media_time"], np.float64),
        value=np.asarray(columns["value"], np.float64),
        flags=np.asarray(columns["flags"], np.int64),
        passes=passes,
        document=document,
    )


def read_latest_rating(study: Study, session: str, dimension: str, rater: str) -> Rating:
    """The last finished take of a rater, else the last one; never a hidden repeat.

    Raises:
        CommandError: `rater` cannot be a rater's code.
        NotFound: This rater did not rate this dimension of the session.
    """
    rating, _ = read_rating_and_repeat(study, session, dimension, rater)
    if rating is None:
        message = f"{study.ratings_folder / session}: no {dimension} rating by {rater}"
        raise NotFound(message)
    return rating


def read_rating_and_repeat(
    study: Study, session: str, dimension: str, rater: str
) -> tuple[Rating | None, Rating | None]:
    """The take of a rater that counts, and the hidden repeat; None for what there is not.

    Of either the last finished take, else the last one.

    Raises:
        CommandError: `rater` cannot be a rater's code.
    """
    if not _RATER.match(rater):
        message = f"{rater!r}: not a rater code (1 to 32 letters, digits or _)"
        raise CommandError(message)
    paths = [p for d, r, _, p in find_ratings(study, session) if (d, r) == (dimension, rater)]
    takes = [read_rating(path) for path in paths]
    counting = [take for take in takes if not take.is_hidden_repeat]
    return _latest(counting), _latest([take for take in takes if take.is_hidden_repeat])


def _latest(takes: Sequence[Rating]) -> Rating | None:
    finished = [take for take in takes if take.is_complete]
    return max(finished or takes, key=lambda rating: rating.take, default=None)


def rating_at(
    rating: Rating, times_seconds: NDArray[np.float64], *, lag_seconds: float = 0.0
) -> NDArray[np.float64]:
    """What the rater said at given moments (T,), NaN where that is not known.

    The value at t is the rating at t + lag: linear between samples at most 0.5 s apart. Where the
    rater went back and rated a stretch again, the last pass over it counts. Samples given while
    paused are not used.

    Args:
        rating: The samples.
        times_seconds: (T,), seconds of the media, ascending.
        lag_seconds: How much later than the event the rater moves.
    """
    asked = times_seconds + lag_seconds
    values = np.full(len(asked), np.nan)
    for times, given in _runs(rating):
        inside = (asked >= times[0] - _EDGE_SECONDS) & (asked <= times[-1] + _EDGE_SECONDS)
        values[inside] = np.interp(asked[inside], times, given)
    return values


def _read_samples(path: Path) -> dict[str, Any]:
    """The columns of a take.

    A file in which all is as it should be is read by numpy, in a third of the time. Any other is
    read cell by cell, so that the schema can say what is wrong and where.

    Raises:
        NotFound: There is no such file.
        InvalidFile: It is torn, or against its schema.
    """
    columns = _read_sound_samples(path)
    if columns is None:
        columns = columns_from_text(read_csv(path), "rating-samples")
        require_valid(columns, "rating-samples", path)
    return columns


def _read_sound_samples(path: Path) -> dict[str, Any] | None:
    """SAMPLE_COLUMNS as arrays, None where anything is not surely as the schema says."""
    try:
        header, _, body = path.read_text(encoding="utf-8").partition("\n")
        if header != ",".join(SAMPLE_COLUMNS) or not body.strip() or body[-1] != "\n":
            return None
        lines = body.replace(",,", ",nan,").splitlines()
        table = np.loadtxt(lines, np.float64, comments=None, delimiter=",", ndmin=2)
    except (OSError, ValueError):
        return None
    columns = dict(zip(SAMPLE_COLUMNS, table.T, strict=True))
    rules = load_schema("rating-samples")["properties"]
    is_sound = all(_is_sound(each, rules[name]["items"]) for name, each in columns.items())
    return columns if is_sound else None


def _is_sound(column: NDArray[np.float64], rule: dict[str, Any]) -> bool:
    """Whether every number of a column surely fits what its schema says of a cell."""
    known = column[~np.isnan(column)]
    low, high = rule.get("minimum", -np.inf), rule.get("maximum", np.inf)
    return bool(
        (len(known) == len(column) or "null" in rule["type"])
        and np.isfinite(known).all()
        and (("integer" not in rule["type"]) or (known == np.floor(known)).all())
        and ((known >= low) & (known <= high)).all()
    )


def _cells(column: Sequence[object]) -> list[Any]:
    """Plain Python numbers, which are written so that they read back equal; NaN becomes None."""
    plain = column.tolist() if isinstance(column, np.ndarray) else list(column)
    return [None if isinstance(cell, float) and np.isnan(cell) else cell for cell in plain]


def _runs(rating: Rating) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64]]]:
    """Times and values of every stretch of samples without a gap, in the order they were given."""
    used = ~np.isnan(rating.value) & (rating.flags & PAUSED == 0)
    first_of_pass = np.zeros(len(used), bool)
    first_of_pass[[first for first, count in rating.passes if count]] = True
    pass_number = np.cumsum(first_of_pass)[used]
    times, values = rating.media_time[used], rating.value[used]
    if not len(times):
        return
    step = np.diff(times)
    is_break = (step < 0) | (step > LONGEST_GAP_SECONDS) | (np.diff(pass_number) != 0)
    edges = [0, *(np.flatnonzero(is_break) + 1), len(times)]
    for start, end in pairwise(edges):
        # Of samples with the same time the last one holds.
        keep = np.append(np.diff(times[start:end]) > 0, True)
        yield times[start:end][keep], values[start:end][keep]
