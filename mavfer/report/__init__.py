"""Pages and pictures about a study, made from its files alone.

May import `dataset`, `study` and `vision.pictures`; changes nothing in a study but `reports/`.
A page is one file without scripts that opens without a network.
"""

from __future__ import annotations

from mavfer.report.page import write_report
from mavfer.report.quality import write_quality_pages
from mavfer.report.sheets import write_contact_sheet
from mavfer.report.summary import Summary, summarize

__all__ = [
    "Summary",
    "summarize",
    "write_contact_sheet",
    "write_quality_pages",
    "write_report",
]
