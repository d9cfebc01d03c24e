"""From several raters' traces to one: reaction lags, weights, the trace and its band.

Imports `mavfer.agreement` and `mavfer.metrics`; numpy and scipy alone. It opens no file and never
drops a rater silently: who is doubted is flagged with the reason.
"""

from __future__ import annotations

from mavfer.fusion.avec2018 import fuse_avec2018
from mavfer.fusion.flags import flag_raters
from mavfer.fusion.fuse import METHODS, Fused, Method, fuse
from mavfer.fusion.lags import MAX_LAG_SECONDS, estimate_lags
from mavfer.fusion.reaction import Reaction, reaction_from_features
from mavfer.fusion.recola import ProtocolTrace, fuse_recola
from mavfer.fusion.simulated import SimulatedRaters, simulate_raters

__all__ = [
    "MAX_LAG_SECONDS",
    "METHODS",
    "Fused",
    "Method",
    "ProtocolTrace",
    "Reaction",
    "SimulatedRaters",
    "estimate_lags",
    "flag_raters",
    "fuse",
    "fuse_avec2018",
    "fuse_recola",
    "reaction_from_features",
    "simulate_raters",
]
