"""The command line `mavfer <verb>`: each verb parses, calls one function and prints.

Tools add their verbs through the entry-point group `mavfer.commands`. Results go to stdout,
messages to stderr. Exit code 0 is done, 1 your data, 2 your command.
"""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
import traceback
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from mavfer import __version__, cli_preprocess, cli_quality, cli_rating, cli_release
from mavfer.errors import MavferError
from mavfer.interrupts import keep_interrupts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["main", "run", "verbs"]

_INTERRUPTED: Final = 130
_DATA_AT_FAULT: Final = 1

_study = click.argument("study", type=click.Path(path_type=Path))
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object, last.")


def main() -> None:
    """The console script `mavfer`."""
    keep_interrupts()
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Runs one command line and returns its exit code; a known error is printed as one line."""
    with_traceback = "--debug" in arguments
    words = [word for word in arguments if word != "--debug"]
    try:
        code: int | None = verbs.main(words, prog_name="mavfer", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        click.echo("mavfer: interrupted", err=True)
        return _INTERRUPTED
    except SystemExit:
        # How click leaves when the reader of our output went away: `mavfer info S | head -1`.
        return 0
    except (MavferError, OSError) as error:
        if with_traceback:
            traceback.print_exc()
        click.echo(_filled(f"mavfer: {_in_one_line(error)}"), err=True)
        return error.exit_code if isinstance(error, MavferError) else _DATA_AT_FAULT
    return code or 0


def _in_one_line(error: MavferError | OSError) -> str:
    """What went wrong; where the system refused, which file it was about."""
    if isinstance(error, OSError) and error.filename is not None:
        reason = f"{error.filename}: {error.strerror}. Check the path, its rights and the disk"
    else:
        reason = str(error)
    return " ".join(reason.split())


def _filled(line: str) -> str:
    """The line as it is; broken between words where a terminal would break it within."""
    if not sys.stderr.isatty():
        return line
    columns = shutil.get_terminal_size().columns
    return textwrap.fill(line, columns, break_long_words=False, break_on_hyphens=False)


class _Verbs(click.Group):
    """The verbs of the core, and those of the tools, which are loaded when first asked for."""

    _is_complete = False

    def _complete(self) -> None:
        if not self._is_complete:
            self._is_complete = True
            for entry in sorted(entry_points(group="mavfer.commands"), key=lambda e: e.name):
                entry.load()(self)

    def list_commands(self, ctx: click.Context) -> list[str]:
        self._complete()
        return super().list_commands(ctx)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        own = super().get_command(ctx, cmd_name)
        if own is None:
            self._complete()
            own = super().get_command(ctx, cmd_name)
        return own


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="mavfer")
@click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error.")
def verbs() -> None:
    """Build and use multimodal affect data sets: color, depth, thermal, arousal, valence.

    \b
    Begin with one of these:
      mavfer demo                              the whole journey, no hardware
      mavfer init S; mavfer import-video face.mp4 S; mavfer preprocess S
    """  # noqa: D301 (click wants the very character \\b to keep the lines apart)


@verbs.command()
@_study
@click.option("--name", help="Name of the study; the folder's name where not given.")
@click.option("--licence", help="Licence of the data, for example CC-BY-4.0.")
def init(study: Path, name: str | None, licence: str | None) -> None:
    """Make a new, empty study.

    Example: mavfer init my-study --licence CC-BY-4.0
    """
    from mavfer.study.study import Study

    made = Study.create(study, name=name, licence=licence)
    click.echo(f"{made.root}: an empty study, '{made.name}'")


@verbs.command()
@_study
@_json
@click.option(
    "--contact-sheet",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write a picture (PNG or JPEG) of the three streams of every session.",
)
def info(study: Path, as_json: bool, contact_sheet: Path | None) -> None:
    """Say what is in a study.

    Example: mavfer info my-study --contact-sheet sheet.png
    """
    from mavfer.report import summarize, write_contact_sheet

    summary = summarize(study)
    if contact_sheet is not None:
        write_contact_sheet(study, contact_sheet)
        click.echo(f"{contact_sheet}: written", err=True)
    _print_result(summary.to_document(), as_json, str(summary))


@verbs.command()
@_study
@click.option(
    "--hashes", is_flag=True, help="Also read all recordings, and compare them with their SHA-256."
)
@_json
def check(study: Path, hashes: bool, as_json: bool) -> None:
    """Validate the files of a study.

    Every file is held against its schema; counts, sizes, references and the hashes of small files
    are cross-checked.

    Example: mavfer check my-study --hashes
    """
    from mavfer.check import check_study

    result = check_study(study, with_hashes=hashes)
    for finding in result.findings:
        click.echo(str(finding))
    _print_result(result.to_document(), as_json, result.verdict)
    if not result.is_good:
        raise click.exceptions.Exit(1)


@verbs.command()
@_study
@click.option("--subject", required=True, help="Subject code.")
@click.option(
    "--form",
    required=True,
    type=click.Path(path_type=Path),
    help="The signed form; its hash is stored, not its content.",
)
@click.option("--version", "form_version", default="1", show_default=True, help="Form's version.")
@click.option(
    "--scope",
    multiple=True,
    default=("record", "rate"),
    show_default=True,
    type=click.Choice(["record", "rate", "share", "publish_images"]),
    help="What was agreed to; may be given several times.",
)
def consent(
    study: Path, subject: str, form: Path, form_version: str, scope: tuple[str, ...]
) -> None:
    """Write the consent record of a subject.

    Nothing is recorded of a real person without it.

    Example: mavfer consent my-study --subject S01 --form S01.pdf --scope record --scope rate
    """
    from mavfer.study.study import Study

    path = Study.open(study, writable=True).write_consent(
        subject, form, form_version=form_version, scope=scope
    )
    click.echo(f"{path}: {subject} agrees to {', '.join(scope)}")


@verbs.command("import-video")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@_study
@click.option("--subject", help="Subject code of all files.")
@click.option(
    "--subjects",
    "subjects_csv",
    type=click.Path(path_type=Path),
    help="CSV with the columns file and subject.",
)
@click.option("--no-audio", is_flag=True, help="Leave the sound out.")
@_json
def import_video(
    *,
    files: tuple[Path, ...],
    study: Path,
    subject: str | None,
    subjects_csv: Path | None,
    no_audio: bool,
    as_json: bool,
) -> None:
    """Make sessions from ordinary videos (color only).

    Example: mavfer import-video anna.mp4 my-study --subject S01
    """
    from mavfer.interchange import videos
    from mavfer.study.study import Study

    if subject and subjects_csv:
        message = "--subject and --subjects exclude each other. Give one of them"
        raise click.UsageError(message)
    if subject:
        subjects = dict.fromkeys(files, subject)
    elif subjects_csv:
        subjects = videos.read_subjects_table(subjects_csv, files)
    else:
        subjects = videos.subjects_from_names(files)
    sessions = videos.import_videos(
        Study.open(study, writable=True),
        files,
        subject_of=subjects.__getitem__,
        keep_audio=not no_audio,
        progress=lambda path, session: click.echo(f"{path} is now {session}", err=True),
    )
    if not subject and not subjects_csv and len(files) > 1:
        click.echo(f"note: {videos.ONE_SUBJECT_A_FILE}", err=True)
    _print_result({"sessions": sessions}, as_json, "\n".join(sessions))


@verbs.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("demo-study"),
    show_default=True,
    help="Folder of the demo's study; what is there already is kept and continued.",
)
@click.option("--full", is_flag=True, help="More subjects and longer takes.")
@_json
def demo(out: Path, full: bool, as_json: bool) -> None:
    """Show the whole journey, without hardware.

    Records simulated subjects, preprocesses them, checks the study and writes a report.

    Example: mavfer demo --out demo-study
    """
    from mavfer.demo import run_demo

    outcome = run_demo(out, run, is_full=full)
    _print_result(outcome, as_json, f"report: {outcome['report']}")


def _print_result(document: Mapping[str, Any], as_json: bool, text: str) -> None:
    """Prints `text`, or the document as one line of JSON."""
    click.echo(json.dumps(document, ensure_ascii=False) if as_json else text)


cli_preprocess.register(verbs)
cli_quality.register(verbs)
cli_rating.register(verbs)
cli_release.register(verbs)
