"""Samples from their planes of bits and back, 64 at a time, with the fold undone on the way.

Plane p holds bit p of all samples, eight samples a byte (bit shuffle). The fold of `pixels` is one
exclusive or on planes: bit 0 of a folded number is its sign, and bit p + 1 is bit p of the number,
inverted where it is negative.
"""

from __future__ import annotations

from typing import Any

from numba import njit

from mavfer.study.kernels.machine_words import load8, planes_of, samples_of, store8

__all__ = ["fold_bytes", "fold_words", "unfold_bytes", "unfold_words"]


@njit(cache=True, nogil=True, inline="always")
def _load_planes(planes: int, stride: int) -> Any:
    return (
        load8(planes),
        load8(planes + stride),
        load8(planes + 2 * stride),
        load8(planes + 3 * stride),
        load8(planes + 4 * stride),
        load8(planes + 5 * stride),
        load8(planes + 6 * stride),
        load8(planes + 7 * stride),
    )


@njit(cache=True, nogil=True, inline="always")
def _store_planes(planes: int, stride: int, words: Any) -> None:
    a, b, c, d, e, f, g, h = words
    store8(planes, a)
    store8(planes + stride, b)
    store8(planes + 2 * stride, c)
    store8(planes + 3 * stride, d)
    store8(planes + 4 * stride, e)
    store8(planes + 5 * stride, f)
    store8(planes + 6 * stride, g)
    store8(planes + 7 * stride, h)


@njit(cache=True, nogil=True)
def unfold_bytes(planes: int, stride: int, samples: int) -> None:
    """8-bit samples from their folded planes."""
    for group in range(0, stride, 8):
        s, a, b, c, d, e, f, g = _load_planes(planes + group, stride)
        unfolded = (a ^ s, b ^ s, c ^ s, d ^ s, e ^ s, f ^ s, g ^ s, s)
        _store_planes(samples + 8 * group, 8, samples_of(unfolded))


@njit(cache=True, nogil=True)
def fold_bytes(samples: int, stride: int, planes: int) -> None:
    """The way back."""
    for group in range(0, stride, 8):
        a, b, c, d, e, f, g, s = planes_of(_load_planes(samples + 8 * group, 8))
        folded = (s, a ^ s, b ^ s, c ^ s, d ^ s, e ^ s, f ^ s, g ^ s)
        _store_planes(planes + group, stride, folded)


@njit(cache=True, nogil=True)
def unfold_words(planes: int, stride: int, low: int, high: int) -> None:
    """16-bit samples, their low and high bytes apart, from their folded planes."""
    for group in range(0, stride, 8):
        s, a, b, c, d, e, f, g = _load_planes(planes + group, stride)
        h, i, j, k, l, m, n, o = _load_planes(planes + 8 * stride + group, stride)  # noqa: E741
        lower = (a ^ s, b ^ s, c ^ s, d ^ s, e ^ s, f ^ s, g ^ s, h ^ s)
        upper = (i ^ s, j ^ s, k ^ s, l ^ s, m ^ s, n ^ s, o ^ s, s)
        _store_planes(low + 8 * group, 8, samples_of(lower))
        _store_planes(high + 8 * group, 8, samples_of(upper))


@njit(cache=True, nogil=True)
def fold_words(low: int, high: int, stride: int, planes: int) -> None:
    """The way back."""
    for group in range(0, stride, 8):
        a, b, c, d, e, f, g, h = planes_of(_load_planes(low + 8 * group, 8))
        i, j, k, l, m, n, o, s = planes_of(_load_planes(high + 8 * group, 8))  # noqa: E741
        lower = (s, a ^ s, b ^ s, c ^ s, d ^ s, e ^ s, f ^ s, g ^ s)
        upper = (h ^ s, i ^ s, j ^ s, k ^ s, l ^ s, m ^ s, n ^ s, o ^ s)
        _store_planes(planes + group, stride, lower)
        _store_planes(planes + 8 * stride + group, stride, upper)
