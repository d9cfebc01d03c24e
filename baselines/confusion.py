"""Scores of predicted classes, all from one table of counts."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["accuracy", "class_f1", "confusion", "f1_macro"]


def confusion(predicted: ArrayLike, label: ArrayLike, classes: int) -> NDArray[np.int64]:
    """How often each label (row) was answered with each class (column), (K, K).

    Args:
        predicted: (T,), index of a class; NaN or below 0 = missing.
        label: (T,), likewise.
        classes: K.
    """
    answered, true = (np.nan_to_num(_as_floats(each), nan=-1) for each in (predicted, label))
    counts = np.zeros((classes, classes), np.int64)
    is_there = (answered >= 0) & (true >= 0)
    np.add.at(counts, (true[is_there].astype(int), answered[is_there].astype(int)), 1)
    return counts


def accuracy(counts: NDArray[np.int64]) -> float:
    """Share of frames answered with their label, in [0, 1]; NaN without a frame."""
    frames = int(counts.sum())
    return int(counts.trace()) / frames if frames else math.nan


def class_f1(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Harmonic mean of precision and recall of each class (K,); NaN where it never occurs.

    Source: van Rijsbergen 1979, Information Retrieval, chapter 7 (1 - E with equal weights).
    """
    both = counts.sum(axis=0) + counts.sum(axis=1)
    f1: NDArray[np.float64] = np.where(
        both > 0, 2 * counts.diagonal() / np.maximum(both, 1), np.nan
    )
    return f1


def f1_macro(counts: NDArray[np.int64]) -> float:
    """Mean F1 of the classes that occur among labels or answers; NaN without a frame."""
    f1 = class_f1(counts)
    return float(np.nanmean(f1)) if np.isfinite(f1).any() else math.nan


def _as_floats(values: ArrayLike) -> NDArray[Any]:
    return np.asarray(values, np.float64)
