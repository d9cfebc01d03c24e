"""Compiled loops for pixels and counts, three times as fast as numpy and free of Python's lock.

They may import numba and each other, and are found by `pixels`, `counts_packer` and
`picture_converter` alone, where numba is installed. They never open a file, and never decide how
pixels are stored: those modules say that. What numba keeps on disk does not notice a change in
another file: after editing one, delete `__pycache__` here.
"""

from __future__ import annotations

import warnings
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["find_kernels"]


@cache
def find_kernels(name: str, without: str) -> ModuleType | None:
    """The module of that name, here; None where numba is not installed or cannot work.

    Args:
        name: Of the module: "frames".
        without: What is done without it, for a warning: "shards are read by numpy, three times
            slower".
    """
    if find_spec("numba") is None:
        return None
    try:
        return import_module(f"{__name__}.{name}")
    except RuntimeError as error:  # numba finds no folder that it may write to
        warnings.warn(
            f"{without}: {error}. Set NUMBA_CACHE_DIR to a folder that may be written",
            stacklevel=3,
        )
        return None
