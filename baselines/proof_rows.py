"""What the proof on synthetic data trains: rows of a table, each a model on a design."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from baselines.models import MODELS
from baselines.rig_study import RIG, SHUFFLED, RigDesign
from baselines.synthetic import DESIGNS, TRUTH, Design

if TYPE_CHECKING:
    from mavfer.streams import StreamName

__all__ = ["ALL_DESIGNS", "PROOF_ROWS", "RIG_ROWS", "SPLIT_DESIGN", "ProofRow"]

_ALL: Final = ("color", "depth", "thermal")

SPLIT_DESIGN: Final = "split"
"""The design whose rows are scored by light."""


@dataclass(frozen=True)
class ProofRow:
    """One line of the proof: a model on a design."""

    name: str
    """As it stands in the values: mran, concat, color, …."""
    design: str
    streams: tuple[StreamName, ...]
    settings: tuple[str, ...] = ()
    model: str = "mran"
    labels: str = TRUTH
    config: str = "synthetic"
    """Name of the configuration."""


_ONE_STREAM: Final = "sta"
"""The model that reads a single stream."""

_DECOY_SETTINGS: Final = (
    *("attention_share=1.0", "frames=2", "hop=2", "batch_size=16", "learning_rate=6e-3"),
    "epochs=3",
)
"""Short clips and many of them: what is alive shows in single frames."""

PROOF_ROWS: Final = (
    ProofRow("mran", SPLIT_DESIGN, _ALL),
    ProofRow("concat", SPLIT_DESIGN, _ALL, ("guidance=false",)),
    ProofRow("color", SPLIT_DESIGN, ("color",)),
    ProofRow("depth", SPLIT_DESIGN, ("depth",)),
    ProofRow("thermal", SPLIT_DESIGN, ("thermal",)),
    ProofRow("mran", "decoy", _ALL, _DECOY_SETTINGS),
    ProofRow("concat", "decoy", _ALL, ("guidance=false", *_DECOY_SETTINGS)),
    ProofRow("color", "decoy", ("color",), _DECOY_SETTINGS),
    ProofRow("depth_thermal", "decoy", ("depth", "thermal"), _DECOY_SETTINGS),
    ProofRow("mran", "shuffled", _ALL),
    ProofRow("mran", "swapped", _ALL),
    *(
        ProofRow(name, SPLIT_DESIGN, _ALL if name != _ONE_STREAM else ("color",), model=name)
        for name in MODELS
        if name != "mran"
    ),
)
"""What is trained on drawn faces."""

_RIG_CONFIG: Final = "synthetic_rig"

RIG_ROWS: Final = (
    ProofRow("mran", RIG.name, _ALL, config=_RIG_CONFIG),
    ProofRow("color", RIG.name, ("color",), config=_RIG_CONFIG),
    ProofRow("depth", RIG.name, ("depth",), config=_RIG_CONFIG),
    ProofRow("thermal", RIG.name, ("thermal",), config=_RIG_CONFIG),
    ProofRow("mran_shuffled", RIG.name, _ALL, labels=SHUFFLED, config=_RIG_CONFIG),
)
"""What is trained on what the simulated rig recorded."""

ALL_DESIGNS: Final[dict[str, Design | RigDesign]] = {**DESIGNS, RIG.name: RIG}
