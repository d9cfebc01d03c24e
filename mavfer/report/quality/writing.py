"""Writes the pages; those of sessions that have not changed are kept."""

from __future__ import annotations

import html as entities
import json
import re
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mavfer import __version__
from mavfer.errors import InvalidFile, MavferError, MissingExtra, NotFound
from mavfer.files import replacing
from mavfer.progress import progress
from mavfer.report.quality.facts import read_facts
from mavfer.report.quality.frames import picture_of
from mavfer.report.quality.ranking import SessionSummary, summarize_session
from mavfer.report.quality.session_page import session_page
from mavfer.report.quality.study_page import study_page
from mavfer.study.shards import Shard
from mavfer.study.study import Study

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["write_quality_pages"]

_LAYOUT: Final = 3
"""Raised when pages look otherwise, so that they are made again."""
_META: Final = re.compile(r'<meta name="mavfer-quality" content="([^"]*)">')
_HEAD_BYTES: Final = 1 << 16
"""Of a page, within which its head ends."""
_THUMBNAIL: Final = 88


def write_quality_pages(
    study_root: Path,
    sessions: Sequence[str] | None = None,
    *,
    failures: Mapping[str, str] | None = None,
) -> Path:
    """Writes reports/quality.html and a page for each session, and gives the former's path.

    A session's page is made where it is missing or its shard has another size or time of change;
    from the others no more is read than the summary in their head.

    Args:
        study_root: The study.
        sessions: Whose pages are made again whatever there is; by default none is.
        failures: Why sessions failed just now; for others what an earlier run left is told.

    Raises:
        NotFound: There is no study, or one of `sessions` is not in it.
        CommandError: This is a release, which nobody changes.
        MissingExtra: OpenCV is not installed.
    """
    study = Study.open(study_root, writable=True)
    names = sorted({*study.sessions(), *(path.stem for path in _shards(study))})
    unknown = sorted({*(sessions or ()), *(failures or {})} - set(names))
    if unknown:
        message = f"{study_root}: no session {unknown[0]}. There are: {', '.join(names) or 'none'}"
        raise NotFound(message)
    wanting = dict(failures or {})
    summaries = []
    with progress("quality", len(names), "page") as advance:
        for name in names:
            if not study.shard_path(name).is_file():
                wanting.setdefault(name, _why_missing(study, name))
            else:
                try:
                    summaries.append(_renewed(study, name, is_forced=name in (sessions or ())))
                except MissingExtra:
                    raise  # no page could do without it
                except MavferError as error:
                    wanting[name] = str(error)
            advance(1)
    path = study.reports_folder / "quality.html"
    page = study_page(study.name, summaries, wanting, _style(), lambda each: _picture(study, each))
    _write(path, page)
    return path


def _shards(study: Study) -> list[Path]:
    return list(study.shards_folder.glob("[!.]*.h5")) if study.shards_folder.is_dir() else []


def _why_missing(study: Study, session: str) -> str:
    """What an earlier run left about a session without a shard."""
    path = study.reports_folder / f"{session}.error.txt"
    with suppress(OSError):
        lines = path.read_text(encoding="utf-8").strip().splitlines()
        if lines:
            return f"{lines[-1]}; see {path}"
    return f"no shard yet. Run mavfer preprocess {study.root}"


def _renewed(study: Study, session: str, *, is_forced: bool) -> SessionSummary:
    """The summary of a session; its page is made where it does not stand for its shard."""
    path = study.reports_folder / "quality" / f"{session}.html"
    media = study.media_path(session)
    status = study.shard_path(session).stat()
    has_media = media.is_file()
    stamp = [_LAYOUT, __version__, status.st_size, status.st_mtime_ns, has_media]
    known = None if is_forced else _read_meta(path)
    if known is not None and known.get("stamp") == stamp:
        return SessionSummary.from_document(known["summary"])
    facts = read_facts(study.shard_path(session))
    summary = summarize_session(facts)
    content = json.dumps({"stamp": stamp, "summary": summary.to_document()})
    meta = f'<meta name="mavfer-quality" content="{entities.escape(content)}">\n'
    link = Path("../../media") / media.name if has_media and facts.is_timed else None
    _write(path, session_page(facts, link, meta + _style()))
    return summary


def _read_meta(path: Path) -> dict[str, Any] | None:
    """What a page's head says of itself; None where there is no page, or one of another make."""
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            match = _META.search(file.read(_HEAD_BYTES))
        return json.loads(entities.unescape(match[1])) if match else None
    except (OSError, ValueError):
        return None


def _picture(study: Study, summary: SessionSummary) -> bytes | None:
    """Some frames of a session in a line; None where no face can be shown."""
    shard = Shard(study.shard_path(summary.session))
    with suppress(InvalidFile):  # pixels that are damaged: mavfer check tells
        return picture_of(shard, summary.shown, _THUMBNAIL) if summary.shown else None
    return None


def _style() -> str:
    style = resources.files("mavfer.report.quality").joinpath("quality.css")
    return f"<style>\n{style.read_text(encoding='utf-8')}</style>\n"


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8")
