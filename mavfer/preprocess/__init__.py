"""From sessions to shards and media: one row per color frame, whatever happens.

May import `study` and `vision`, and brings them together: reads through one, computes in the other.
Never shows pages, never trains, and leaves nothing half-written.
"""

from __future__ import annotations

from mavfer.preprocess.inputs import Options
from mavfer.preprocess.run import Outcome, preprocess_study

__all__ = ["Options", "Outcome", "preprocess_study"]
