"""Scores as lines for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from baselines.compare import FEW_BLOCKS
from baselines.scores import CLASS_SCORES, EXPRESSION
from mavfer.progress import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["comparison_text", "group_text", "scores_text", "table_text"]

_FRAMES: Final = "frames"


def scores_text(document: Mapping[str, Any]) -> str:
    """The pooled scores of `evaluate_run` as lines for people."""
    lines = [f"{document['run']}, part {document['part']}"]
    for dimension, scores in document["scores"].items():
        rows = {"pooled": scores["pooled"], "mean of sessions": scores["mean_of_sessions"]}
        rows |= scores.get("groups", {})
        for grouping, score in rows.items():
            named = CLASS_SCORES if dimension == EXPRESSION else [m for m in score if m != _FRAMES]
            told = "  ".join(f"{measure} {_told(score[measure])}" for measure in named)
            lines.append(f"  {dimension:<11}{grouping:<18}{told}")
    for dimension, interval in document.get("intervals", {}).items():
        lines.append(f"  {dimension:<11}{'pooled CCC':<18}{_interval_text(interval)}")
    return "\n".join(lines)


def group_text(document: Mapping[str, Any]) -> str:
    """What `evaluate_group` says, every run first."""
    lines = [scores_text(run) for run in document["runs"]]
    for dimension, interval in document["group"].items():
        values = ", ".join(_told(value).strip() for value in interval["values"])
        lines.append(
            f"{dimension}: pooled CCC of {counted(len(interval['values']), 'seed')}: {values}"
        )
        lines.append(
            f"  mean {_told(interval['mean']).strip()}, "
            f"deviation of seeds {_told(interval['deviation']).strip()}, {_interval_text(interval)}"
        )
    return "\n".join(lines)


def comparison_text(document: Mapping[str, Any]) -> str:
    """What `compare_runs` says."""
    lines = []
    for dimension, each in document.items():
        means = " - ".join(_told(each[side]["mean"]).strip() for side in ("first", "second"))
        p_values = f"p {_told(each['p']).strip()}, Holm {_told(each['p_holm']).strip()}"
        lines.append(
            f"{dimension}: pooled CCC {means} = {_told(each['difference']).strip()} "
            f"[{_told(each['low']).strip()}, {_told(each['high']).strip()}], {p_values} "
            f"({_blocks_text(each['first'])})"
        )
    return "\n".join(lines)


def table_text(document: Mapping[str, Any]) -> str:
    """What `baselines.benchmark.benchmark` says: a line a row and dimension."""
    first, *_ = document["rows"]
    lines = [f"pooled CCC, {counted(document['seeds'], 'seed')} each; differences from {first}"]
    for name, row in document["rows"].items():
        for dimension, interval in row["group"].items():
            values = ", ".join(_told(value).strip() for value in interval["values"])
            line = f"  {name:<28}{dimension:<10}{_told(interval['mean'])}  ({values})"
            against = document["compared"].get(name, {}).get(dimension)
            if against is not None:
                p = _told(against["p_holm"]).strip()
                line += f"  {_told(-against['difference']).strip()}, p {p}"
            lines.append(line)
    return "\n".join(lines)


def _interval_text(interval: Mapping[str, Any]) -> str:
    if interval["low"] is None:
        return f"no interval ({_blocks_text(interval)})"
    ends = f"[{_told(interval['low']).strip()}, {_told(interval['high']).strip()}]"
    return f"95 % of draws in {ends} ({_blocks_text(interval)})"


def _blocks_text(interval: Mapping[str, Any]) -> str:
    rough = ", too few to trust its ends" if interval["blocks"] < FEW_BLOCKS else ""
    return f"over {counted(interval['blocks'], interval['unit'])}{rough}"


def _told(value: float | None) -> str:
    return "   -  " if value is None else f"{value:6.3f}"
