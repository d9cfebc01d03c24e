"""Writes the documents of a release into its folder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mavfer.files import replacing, write_json
from mavfer.release.agreement_template import agreement_template
from mavfer.release.croissant import croissant
from mavfer.release.datasheet import datasheet
from mavfer.release.readme_page import readme_page

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from mavfer.release.contents import Contents

__all__ = ["DOCUMENT_NAMES", "write_documents"]

_PAGES: Final[dict[str, Callable[[Contents], str]]] = {
    "README.md": readme_page,
    "DATASHEET.md": datasheet,
    "DATA_USE_AGREEMENT.md": agreement_template,
}
_CROISSANT: Final = "croissant.json"

DOCUMENT_NAMES: Final = (*_PAGES, _CROISSANT)
"""Files that `write_documents` writes."""


def write_documents(contents: Contents, folder: Path) -> list[Path]:
    """Writes every document of a release, each whole or not at all, and gives their files.

    The same contents give the same bytes.
    """
    paths = [folder / name for name in DOCUMENT_NAMES]
    for path, write_page in zip(paths, _PAGES.values(), strict=False):
        with replacing(path) as part:
            part.write_text(write_page(contents), encoding="utf-8", newline="\n")
    write_json(folder / _CROISSANT, croissant(contents))
    return paths
