"""How far several raters agree, and how sure that is: arrays in, numbers out.

Imports `mavfer.metrics` and nothing above it; numpy and scipy alone. It opens no file, prints
nothing and never drops a rater: what is left out of a number is said in its docstring.
"""

from __future__ import annotations

from mavfer.agreement.estimate import Estimate
from mavfer.agreement.intraclass import cronbach_alpha, icc, intra_rater, raters_needed
from mavfer.agreement.kappa import cohen_kappa, fleiss_kappa
from mavfer.agreement.krippendorff import krippendorff_alpha
from mavfer.agreement.pairs import leave_one_out, pairwise
from mavfer.agreement.resampling import bootstrap

__all__ = [
    "Estimate",
    "bootstrap",
    "cohen_kappa",
    "cronbach_alpha",
    "fleiss_kappa",
    "icc",
    "intra_rater",
    "krippendorff_alpha",
    "leave_one_out",
    "pairwise",
    "raters_needed",
]
