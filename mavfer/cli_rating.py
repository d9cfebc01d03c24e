"""The verbs from ratings to labels and splits: `mavfer agree`, `label`, `split`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mavfer.fusion import Method
    from mavfer.labelling.protocol import Protocol
    from mavfer.labelling.reaction import GivenReaction

__all__ = ["register"]

_METHODS = ("mean", "median", "ewe", "ewe_loo", "ewe_pairwise", "ewe_ccc", "dba", "raaw", "model")
"""`fusion.METHODS`, spelled here so that `mavfer --help` imports no numpy; a test compares them."""

_PROTOCOLS = ("recola", "avec2018")
"""`labelling.protocol.PROTOCOLS`, likewise."""


class _Reaction(click.ParamType[float | str]):
    """Seconds, or the word "pictures"."""

    name = "reaction"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float | str:
        if value == "pictures":
            return "pictures"
        try:
            return float(value)
        except ValueError:
            self.fail(f'{value!r}: give a number of seconds, or the word "pictures"', param, ctx)


_study = click.argument("study", type=click.Path(path_type=Path))
_json = click.option("--json", "as_json", is_flag=True, help="Print one JSON object, last.")
_replace = click.option("--replace", is_flag=True, help="Write over another one of this name.")


def register(group: click.Group) -> None:
    """Adds the verbs to the command line."""
    for command in (agree, label, split):
        group.add_command(command)


@click.command()
@_study
@_json
def agree(study: Path, as_json: bool) -> None:
    """Say how far raters agree, by session, dimension and rater, in tables and on a page.

    Example: mavfer agree my-study --json
    """
    from mavfer.report.agreement_page import write_agreement
    from mavfer.study.study import Study

    written = write_agreement(Study.open(study, writable=True))
    _print_result(written.to_document(), as_json, str(written))


@click.command()
@_study
@click.option(
    "--method",
    type=click.Choice(_METHODS),
    help="How raters become one trace.  [default: model]",
)
@click.option(
    "--protocol",
    type=click.Choice(_PROTOCOLS),
    help="A published protocol instead of a method.",
)
@click.option("--name", default="gold", show_default=True, help="Name of the label.")
@click.option(
    "--reaction",
    type=_Reaction(),
    metavar="SECONDS|pictures",
    help="How late the fastest rater is, or that the faces tell; needed without calibration clip.",
)
@_replace
@_json
def label(
    *,
    study: Path,
    method: Method | None,
    protocol: Protocol | None,
    name: str,
    reaction: GivenReaction,
    replace: bool,
    as_json: bool,
) -> None:
    """Fuse ratings into a label.

    Example: mavfer label my-study --name gold --reaction 2
    """
    from mavfer.labelling import label_study
    from mavfer.study.study import Study

    outcome = label_study(
        Study.open(study, writable=True),
        method=method,
        protocol=protocol,
        name=name,
        reaction=reaction,
        replace=replace,
    )
    for notice in outcome.notices:
        click.echo(notice, err=True)
    _print_result(outcome.to_document(), as_json, str(outcome))


@click.command()
@_study
@click.option("--name", default="default", show_default=True, help="Name of the split.")
@click.option("--test", type=float, help="Share of the subjects for test.  [default: 0.2]")
@click.option("--val", type=float, help="Share of the subjects for val.  [default: 0.2]")
@click.option("--folds", type=int, metavar="K", help="K folds, each subject tested once.")
@click.option("--leave-one-subject-out", is_flag=True, help="A fold a subject.")
@click.option("--seed", type=int, default=0, show_default=True, help="Seed of the shuffle.")
@_replace
@_json
def split(
    *,
    study: Path,
    name: str,
    test: float | None,
    val: float | None,
    folds: int | None,
    leave_one_subject_out: bool,
    seed: int,
    replace: bool,
    as_json: bool,
) -> None:
    """Divide the subjects into parts or folds, no subject in two parts.

    Example: mavfer split my-study --test 0.2 --val 0.2 --seed 1
    """
    from mavfer.splitting import split_study
    from mavfer.study.study import Study

    if sum((test is not None or val is not None, folds is not None, leave_one_subject_out)) > 1:
        message = "--test/--val, --folds and --leave-one-subject-out exclude each other. Give one"
        raise click.UsageError(message)
    outcome = split_study(
        Study.open(study, writable=True),
        name=name,
        test=0.2 if test is None else test,
        val=0.2 if val is None else val,
        folds=folds,
        is_leave_one_out=leave_one_subject_out,
        seed=seed,
        replace=replace,
    )
    _print_result(outcome.to_document(), as_json, str(outcome))


def _print_result(document: Mapping[str, Any], as_json: bool, text: str) -> None:
    """Prints `text`, or the document as one line of JSON."""
    click.echo(json.dumps(document, ensure_ascii=False) if as_json else text)
