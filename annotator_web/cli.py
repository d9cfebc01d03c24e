"""The verbs `mavfer annotate …`: each parses, calls one function and prints."""

from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from mavfer.errors import require
from mavfer.progress import progress
from mavfer.study.study import Study

if TYPE_CHECKING:
    from collections.abc import Iterator

    from annotator_web.project import Project
    from annotator_web.store.database import Database

__all__ = ["register"]

_EXTRA: Final = "annotate"
_DEFAULT_PORT: Final = 8420
_HIGHEST_PORT: Final = 65_535

_study = click.argument("study", type=click.Path(path_type=Path))
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object, last.")
_database = click.option(
    "--database", help="File or sqlite:/// URL; annotator/annotator.sqlite of the study otherwise."
)


def register(group: click.Group) -> None:
    """Adds this tool's verbs to the command line."""
    group.add_command(annotate)


@click.group(epilog="Example: mavfer annotate serve my-study")
def annotate() -> None:
    """Let raters rate the sessions of a study in their browsers."""


@annotate.command(epilog="Example: mavfer annotate prepare my-study -j 2")
@_study
@click.option(
    "--streams",
    metavar="NAMES",
    help="Streams from left to right, with commas; those of annotation.json otherwise.",
)
@click.option("-j", "--jobs", type=click.IntRange(min=1), default=1, show_default=True)
@_json
def prepare(study: Path, *, streams: str | None, jobs: int, as_json: bool) -> None:
    """Put color, depth and thermal side by side in one video a session, for raters to see.

    What is made already and has not changed is skipped.
    """
    _require_extra()
    from annotator_web.desk.prepare import parse_streams, sessions_to_prepare
    from annotator_web.desk.prepare import prepare as make_videos
    from annotator_web.project import open_project

    project = open_project(Study.open(study))
    with progress("side by side", len(sessions_to_prepare(project)), "session") as advance:
        done = make_videos(project, parse_streams(streams), jobs=jobs, advance=advance)
    for session, reason in done.failed.items():
        click.echo(f"{session}: failed: {reason}", err=True)
    text = f"{len(done.made)} sessions prepared, {len(done.kept)} there before"
    _print(done.to_document(), as_json, text)
    if done.failed:
        raise click.exceptions.Exit(1)


@annotate.command(epilog="Example: mavfer annotate serve my-study --port 8420")
@_study
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, _HIGHEST_PORT),
    default=_DEFAULT_PORT,
    show_default=True,
    help="Port; 0 for any free one.",
)
@click.option(
    "--trusted-proxy", help="Address of the HTTPS proxy before it; one on this machine otherwise."
)
@_database
@_json
def serve(
    study: Path,
    *,
    host: str,
    port: int,
    trusted_proxy: str | None,
    database: str | None,
    as_json: bool,
) -> None:
    """Serve the rating pages until Ctrl-C, to this machine alone unless --host says more."""
    _require_extra()
    from annotator_web.server import serve as run_server

    def ready(url: str) -> None:
        _print({"url": url}, as_json, f"{study}: raters are served at {url}; Ctrl-C ends it")

    run_server(
        Study.open(study),
        host=host,
        port=port,
        database=database,
        ready=ready,
        trusted_proxy=trusted_proxy,
    )


@annotate.command(epilog="Example: mavfer annotate invite my-study --rater R01 --json")
@_study
@click.option("--rater", required=True, help="Rater code: letters, digits and _.")
@click.option("--sessions", multiple=True, help="Sessions to rate; all of them where not given.")
@click.option("--language", help="en, de or ar; what the browser asks for otherwise.")
@click.option("--url", help="Where raters reach the server; where it last ran otherwise.")
@_database
@_json
def invite(
    study: Path,
    *,
    rater: str,
    sessions: tuple[str, ...],
    language: str | None,
    url: str | None,
    database: str | None,
    as_json: bool,
) -> None:
    """Make the link that lets one rater in; it is shown once, only its hash is kept.

    Sessions may also be given as one list with commas.
    """
    with _opened(study, database) as (project, store):
        from annotator_web.desk.raters import base_url
        from annotator_web.desk.raters import invite as make_invitation

        names = [name for part in sessions for name in part.split(",") if name]
        token = make_invitation(store, project, rater, sessions=names, language=language)
        link = f"{(url or base_url(store)).rstrip('/')}/invitation/{token}"
        _print({"url": link, "token": token}, as_json, link)


@annotate.command(epilog="Example: mavfer annotate revoke my-study --rater R01")
@_study
@click.option("--rater", required=True, help="Rater code.")
@_database
@_json
def revoke(study: Path, *, rater: str, database: str | None, as_json: bool) -> None:
    """Take back all invitations of a rater; open pages stop as well. Ratings are kept."""
    with _opened(study, database) as (_, store):
        from annotator_web.desk.raters import revoke as take_back

        count = take_back(store, rater)
        _print({"rater": rater, "revoked": count}, as_json, f"{rater}: {count} revoked")


@annotate.command(
    epilog="Example: mavfer annotate simulate my-study --url http://127.0.0.1:8420 --raters 5"
)
@_study
@click.option("--url", required=True, help="Where the server is.")
@click.option("--raters", type=click.IntRange(1, 99), default=5, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@_database
@_json
def simulate(
    study: Path, *, url: str, raters: int, seed: int, database: str | None, as_json: bool
) -> None:
    """Rate simulated sessions by programs that know the truth, through the server, for trying out.

    What they finished before is skipped. Their ratings are marked as simulated.
    """
    with _opened(study, database) as (project, store):
        from annotator_web.desk.simulate import simulate as rate_all
        from annotator_web.desk.simulate import tasks_of

        total = raters * tasks_of(project)
        with progress("simulated raters", total, "take") as advance:
            done = rate_all(project, store, url, raters=raters, seed=seed, advance=advance)
        text = f"{raters} simulated raters: {done['takes']} takes, {done['samples']} samples"
        _print(done, as_json, text)


@annotate.command(epilog="Example: mavfer annotate status my-study")
@_study
@_database
@_json
def status(study: Path, *, database: str | None, as_json: bool) -> None:
    """Say how far every rater is."""
    with _opened(study, database) as (project, store):
        from annotator_web.desk.progress import status as progress_of
        from annotator_web.desk.progress import table_of

        document = progress_of(store, project)
        _print(document, as_json, table_of(document))


@annotate.command(epilog="Example: mavfer annotate collect my-study")
@_study
@click.option("--incomplete", is_flag=True, help="Also takes that are not finished.")
@_database
@_json
def collect(study: Path, *, incomplete: bool, database: str | None, as_json: bool) -> None:
    """Write finished takes to ratings/; what is there already is never overwritten.

    Practice and warm-up are left out, and so is all of a rater who asked to be erased.
    """
    with _opened(study, database) as (project, store):
        from annotator_web.desk.collect import collect as write_ratings

        done = write_ratings(store, project, with_incomplete=incomplete)
    for label in done.outdated:
        message = f"note: {label} was collected unfinished and is finished now; delete it to renew"
        click.echo(message, err=True)
    for rater in sorted(done.uncalibrated):
        click.echo(f"note: rater {rater} has no measured reaction time", err=True)
    for rater in sorted(done.erased):
        click.echo(f"note: rater {rater} asked to be erased; nothing was collected", err=True)
    text = (
        f"{len(done.written)} ratings written ({done.repeats} of hidden repeats), "
        f"{done.kept} there before, "
        f"{done.open_takes} takes not finished"
    )
    _print(done.to_document(), as_json, text)


@annotate.command(epilog="Example: mavfer annotate backup my-study annotator-copy.sqlite")
@_study
@click.argument("file", type=click.Path(path_type=Path))
@_database
def backup(study: Path, file: Path, *, database: str | None) -> None:
    """Copy the annotator's database to the new FILE, one consistent moment of it."""
    _require_extra()
    from annotator_web.store.backup import back_up
    from annotator_web.store.database import database_path

    back_up(database_path(Study.open(study), database), file)
    click.echo(f"{file}: written")


@annotate.command(epilog="Example: mavfer annotate restore my-study annotator-copy.sqlite")
@_study
@click.argument("file", type=click.Path(path_type=Path))
@_database
def restore(study: Path, file: Path, *, database: str | None) -> None:
    """Put the backup FILE in the database's place; what was there is saved beside it."""
    _require_extra()
    from annotator_web.store.backup import restore as put_back
    from annotator_web.store.database import database_path

    opened = Study.open(study)
    path = database_path(opened, database)
    saved = put_back(file, path, opened)
    click.echo(f"{path}: restored" + (f"; what was there is now {saved}" if saved else ""))


@contextmanager
def _opened(study: Path, database: str | None) -> Iterator[tuple[Project, Database]]:
    """Hands out the rating project and the database of a study."""
    _require_extra()
    from annotator_web.project import open_project
    from annotator_web.store.database import Database, database_path

    opened = Study.open(study)
    project = open_project(opened)
    store = Database(database_path(opened, database), opened)
    try:
        yield project, store
    finally:
        store.close()


def _require_extra() -> None:
    """Raises MissingExtra where Flask, SQLAlchemy or the server is not installed."""
    for module in ("flask", "sqlalchemy", "waitress"):
        require(module, _EXTRA)


def _print(document: dict[str, Any], as_json: bool, text: str) -> None:
    """Prints `text`, or the document as one line of JSON, at once."""
    click.echo(json.dumps(document, ensure_ascii=False) if as_json else text)
