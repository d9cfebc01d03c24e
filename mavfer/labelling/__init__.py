"""The step from ratings to labels: what raters said, how far they agree, what they say together.

Reads ratings and shards, writes labels; the arithmetic is that of `agreement` and `fusion`. It
knows no way to collect ratings and never changes one.
"""

from __future__ import annotations

from mavfer.labelling.agree import AgreementReport, agree_study
from mavfer.labelling.label import LabelOutcome, label_study
from mavfer.labelling.panel import Panel, read_panels

__all__ = [
    "AgreementReport",
    "LabelOutcome",
    "Panel",
    "agree_study",
    "label_study",
    "read_panels",
]
