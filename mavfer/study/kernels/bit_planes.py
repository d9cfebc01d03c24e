"""Samples from their planes of bits and back, 64 at a time, with the fold undone on the way.

Plane p holds bit p of all samples, eight samples a byte (bit shuffle). The fold of `pixels` is one
exclusive or on planes: bit 0 of a folded number is its sign, and bit p + 1 is bit p of the number,
inverted where it is negative.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numba import njit

from mavfer.study.kernels.machine_words import load_words, planes_of, samples_of, store_words

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Bytes = NDArray[np.uint8]

__all__ = ["fold_bytes", "fold_words", "unfold_bytes", "unfold_words"]


@njit(cache=True, nogil=True)
def unfold_bytes(planes: Bytes, stride: int, samples: Bytes) -> None:
    """8-bit samples from their folded planes of `stride` bytes, a multiple of 8."""
    for group in range(0, stride, 8):
        s, a, b, c, d, e, f, g = load_words(planes, group, stride)
        unfolded = (a ^ s, b ^ s, c ^ s, d ^ s, e ^ s, f ^ s, g ^ s, s)
        store_words(samples, 8 * group, 8, samples_of(unfolded))


@njit(cache=True, nogil=True)
def fold_bytes(samples: Bytes, stride: int, planes: Bytes) -> None:
    """The way back."""
    for group in range(0, stride, 8):
        a, b, c, d, e, f, g, s = planes_of(load_words(samples, 8 * group, 8))
        folded = (s, a ^ s, b ^ s, c ^ s, d ^ s, e ^ s, f ^ s, g ^ s)
        store_words(planes, group, stride, folded)


@njit(cache=True, nogil=True)
def unfold_words(planes: Bytes, stride: int, low: Bytes, high: Bytes) -> None:
    """16-bit samples, their low and high bytes apart, from their folded planes.

    Two loops, each of which LLVM turns into instructions on four or eight words at once.
    """
    for group in range(0, stride, 8):
        s, a, b, c, d, e, f, g = load_words(planes, group, stride)
        h = load_words(planes, 8 * stride + group, stride)[0]
        lower = (a ^ s, b ^ s, c ^ s, d ^ s, e ^ s, f ^ s, g ^ s, h ^ s)
        store_words(low, 8 * group, 8, samples_of(lower))
    for group in range(0, stride, 8):
        s = load_words(planes, group, stride)[0]
        _, a, b, c, d, e, f, g = load_words(planes, 8 * stride + group, stride)
        upper = (a ^ s, b ^ s, c ^ s, d ^ s, e ^ s, f ^ s, g ^ s, s)
        store_words(high, 8 * group, 8, samples_of(upper))


@njit(cache=True, nogil=True)
def fold_words(low: Bytes, high: Bytes, stride: int, planes: Bytes) -> None:
    """The way back."""
    for group in range(0, stride, 8):
        a, b, c, d, e, f, g, h = planes_of(load_words(low, 8 * group, 8))
        i, j, k, l, m, n, o, s = planes_of(load_words(high, 8 * group, 8))  # noqa: E741
        lower = (s, a ^ s, b ^ s, c ^ s, d ^ s, e ^ s, f ^ s, g ^ s)
        upper = (h ^ s, i ^ s, j ^ s, k ^ s, l ^ s, m ^ s, n ^ s, o ^ s)
        store_words(planes, group, stride, lower)
        store_words(planes, 8 * stride + group, stride, upper)
