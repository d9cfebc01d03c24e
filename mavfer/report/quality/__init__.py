"""Pages on which a person sees what preprocessing did, and where to look first.

Made from shards alone: one page a session, and one that ranks the sessions. Pages of sessions that
have not changed are kept; nothing of a study is changed but `reports/`.
"""

from __future__ import annotations

from mavfer.report.quality.writing import write_quality_pages

__all__ = ["write_quality_pages"]
