"""The proof on synthetic data as one figure. Imports matplotlib; import it where it is used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from matplotlib.figure import Figure

from mavfer.files import replacing

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from matplotlib.axes import Axes

__all__ = ["draw_proof"]

_PANELS: Final = (
    ("bright", "Bright light", ("color", "depth", "thermal", "concat", "mran")),
    ("dark", "In the dark", ("color", "depth", "thermal", "concat", "mran")),
    ("decoy", "Two faces, one alive", ("color", "depth_thermal", "concat", "mran")),
    ("rig_dark", "Simulated rig, in the dark", ("color", "depth", "thermal", "mran")),
)
_NAMES: Final = {"depth_thermal": "depth +\nthermal", "concat": "all,\njoined", "mran": "mran"}
_COLORS: Final = {"arousal": "#1c6ea4", "valence": "#b4560a"}
_MARKS: Final = {"arousal": "o", "valence": "D"}
_APART: Final = 0.14


def draw_proof(document: Mapping[str, Any], path: Path) -> None:
    """Draws what `baselines.proof.prove` returned: a dot a seed, a line at their mean.

    Raises:
        ValueError: The name's ending is not that of a picture.
    """
    known = document["values"]
    panels = [
        (light, title, models)
        for light, title, models in _PANELS
        if any(f"{model}_{light}_arousal" in known for model in models)
    ]
    widths = [len(models) for *_, models in panels]
    figure = Figure(figsize=(0.6 + 0.62 * sum(widths), 3.4), layout="constrained")
    axes: Sequence[Axes] = figure.subplots(
        1, len(panels), sharey=True, width_ratios=widths, squeeze=False
    )[0]
    for panel, (light, title, models) in zip(axes, panels, strict=True):
        _draw_panel(panel, document["values"], light, models)
        panel.set_title(title, fontsize=11)
    axes[0].set_ylabel("CCC, subjects never seen")
    axes[0].legend(loc="center left", frameon=False, fontsize=9)
    with replacing(path) as part:
        figure.savefig(part, format=path.suffix.lstrip("."), dpi=150)


def _draw_panel(panel: Axes, values: Mapping[str, Any], light: str, models: Sequence[str]) -> None:
    for place, model in enumerate(models):
        for side, dimension in ((-1, "arousal"), (1, "valence")):
            value = values.get(f"{model}_{light}_{dimension}")
            if value is None:
                continue
            x, color = place + side * _APART, _COLORS[dimension]
            panel.hlines(value["mean"], x - 0.11, x + 0.11, color=color, linewidth=2.5)
            panel.plot(
                [x] * len(value["seeds"]),
                value["seeds"],
                linestyle="none",
                marker=_MARKS[dimension],
                markersize=5,
                markerfacecolor="none",
                markeredgecolor=color,
                label=dimension if place == 0 else None,
            )
    panel.set_xticks(range(len(models)), [_NAMES.get(model, model) for model in models])
    panel.tick_params(axis="x", length=0)
    panel.set_ylim(-0.15, 1.05)
    panel.axhline(0, color="#999999", linewidth=0.8)
    panel.grid(axis="y", color="#e3e7ec", linewidth=0.8)
    panel.set_axisbelow(True)
    for edge in ("top", "right"):
        panel.spines[edge].set_visible(False)
