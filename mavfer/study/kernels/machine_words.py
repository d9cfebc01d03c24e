"""Numbers at addresses and in registers, for compiled loops.

numba knows arrays; what stands here it has no words for: reading eight bytes from any place, a
transposition of bits that stays in registers, running sums of sixteen bytes at once. Each function
is a few instructions of LLVM, written out by a loop in Python.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

__all__ = [
    "address_of",
    "load1",
    "load2",
    "load4",
    "load8",
    "load_words",
    "planes_of",
    "run_bytes",
    "run_words",
    "samples_of",
    "store1",
    "store2",
    "store4",
    "store8",
    "store_words",
    "trailing_zeros",
]

_WORD: Final = 64
_VECTOR_BITS: Final = 128

Words = tuple[int, int, int, int, int, int, int, int]


@njit(cache=True, nogil=True, inline="always")
def address_of(array: NDArray[Any]) -> int:
    """Where an array's content begins, as the signed number that sums of addresses need."""
    return np.intp(array.ctypes.data)  # type: ignore[return-value]  # an int inside of numba


def _loader(bits: int, result: Any) -> Callable[[int], int]:
    """A function that reads a number of so many bits from any address."""

    @intrinsic
    def load(typing: Any, address: Any) -> Any:
        def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            place = builder.inttoptr(arguments[0], ir.IntType(bits).as_pointer())
            value = builder.load(place)
            value.align = 1
            return value if bits == _WORD else builder.zext(value, ir.IntType(_WORD))

        return result(types.intp), generate

    return load  # type: ignore[no-any-return]


def _storer(bits: int, kind: Any) -> Callable[[int, int], None]:
    """A function that writes a number of so many bits to any address."""

    @intrinsic
    def store(typing: Any, address: Any, value: Any) -> Any:
        def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            address, value = arguments
            if bits < _WORD:
                value = builder.trunc(value, ir.IntType(bits))
            place = builder.inttoptr(address, ir.IntType(bits).as_pointer())
            builder.store(value, place).align = 1
            return context.get_dummy_value()

        return types.void(types.intp, kind), generate

    return store  # type: ignore[no-any-return]


load1 = _loader(8, types.intp)
load2 = _loader(16, types.intp)
load4 = _loader(32, types.intp)
load8 = _loader(64, types.uint64)
store1 = _storer(8, types.intp)
store2 = _storer(16, types.intp)
store4 = _storer(32, types.intp)
store8 = _storer(64, types.uint64)


_EIGHT: Final = types.UniTuple(types.uint64, 8)


def _places(builder: Any, begin: Any, at: Any, stride: Any) -> list[Any]:
    """Pointers to eight words behind `begin`, `stride` bytes apart."""
    places = []
    for _ in range(8):
        places.append(builder.bitcast(builder.gep(begin, [at]), ir.IntType(_WORD).as_pointer()))
        at = builder.add(at, stride)
    return places


@intrinsic
def load_words(typing: Any, array: Any, at: Any, stride: Any) -> Any:
    """Eight words of a uint8 array, `stride` bytes apart; loops over it can be vectorised."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, at, stride = arguments
        begin = context.make_array(signature.args[0])(context, builder, array).data
        words = []
        for place in _places(builder, begin, at, stride):
            word = builder.load(place)
            word.align = 1
            words.append(word)
        return context.make_tuple(builder, signature.return_type, words)

    return _EIGHT(array, types.intp, types.intp), generate


@intrinsic
def store_words(typing: Any, array: Any, at: Any, stride: Any, words: Any) -> Any:
    """Writes eight words into a uint8 array, `stride` bytes apart."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, at, stride, words = arguments
        begin = context.make_array(signature.args[0])(context, builder, array).data
        for number, place in enumerate(_places(builder, begin, at, stride)):
            builder.store(builder.extract_value(words, number), place).align = 1
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp, _EIGHT), generate


@intrinsic
def trailing_zeros(typing: Any, value: Any) -> Any:
    """Zero bits below the lowest one bit."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(types.uint64), generate


# Three rounds that exchange fields between words 4, 2 and 1 apart transpose 8 x 8 fields.
_OF_BITS = ((4, 0x0F0F0F0F0F0F0F0F), (2, 0x3333333333333333), (1, 0x5555555555555555))
_OF_BYTES = ((32, 0x00000000FFFFFFFF), (16, 0x0000FFFF0000FFFF), (8, 0x00FF00FF00FF00FF))


def _transposed(builder: Any, words: list[Any], rounds: Any) -> list[Any]:
    """The words after exchanging the high fields of each with the low fields of its partner."""
    kind = ir.IntType(_WORD)
    for distance, (shift, mask) in zip((4, 2, 1), rounds, strict=True):
        by, fields = ir.Constant(kind, shift), ir.Constant(kind, mask)
        for low in range(8):
            if low & distance:
                continue
            a, b = words[low], words[low + distance]
            moved = builder.and_(builder.xor(builder.lshr(a, by), b), fields)
            words[low] = builder.xor(a, builder.shl(moved, by))
            words[low + distance] = builder.xor(b, moved)
    return words


def _turner(rounds: Any) -> Callable[[Words], Words]:
    """A function that transposes eight words in registers."""

    @intrinsic
    def turn(typing: Any, words: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            parts = [builder.extract_value(arguments[0], number) for number in range(8)]
            for one in rounds:
                parts = _transposed(builder, parts, one)
            return context.make_tuple(builder, signature.return_type, parts)

        return _EIGHT(_EIGHT), generate

    return turn  # type: ignore[no-any-return]


samples_of = _turner((_OF_BITS, _OF_BYTES))
"""64 bytes from their eight planes: bit b of byte k of plane p is bit p of byte 8 k + b."""

planes_of = _turner((_OF_BYTES, _OF_BITS))
"""The way back; each transposition undoes itself."""


def _runner(bits: int) -> Callable[[int, int], int]:
    """A function that turns 16 bytes at an address into running sums after `before`.

    It answers the last sum; its higher bits are carried along and mean nothing.
    """
    count = _VECTOR_BITS // bits

    @intrinsic
    def run(typing: Any, address: Any, before: Any) -> Any:
        def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            one, index = ir.IntType(bits), ir.IntType(32)
            vector = ir.VectorType(one, count)
            zeros = ir.Constant(vector, [0] * count)
            place = builder.inttoptr(arguments[0], vector.as_pointer())
            total = builder.load(place)
            total.align = 1
            distance = 1
            while distance < count:
                lanes = [count + n if n < distance else n - distance for n in range(count)]
                mask = ir.Constant(ir.VectorType(index, count), lanes)
                total = builder.add(total, builder.shuffle_vector(total, zeros, mask))
                distance *= 2
            # The next call waits for this sum alone, not for what is stored.
            last = builder.extract_element(total, ir.Constant(index, count - 1))
            after = builder.add(builder.zext(last, ir.IntType(_WORD)), arguments[1])
            start = builder.insert_element(
                zeros, builder.trunc(arguments[1], one), ir.Constant(index, 0)
            )
            everywhere = ir.Constant(ir.VectorType(index, count), [0] * count)
            total = builder.add(total, builder.shuffle_vector(start, zeros, everywhere))
            builder.store(total, place).align = 1
            return after

        return types.intp(types.intp, types.intp), generate

    return run  # type: ignore[no-any-return]


run_bytes = _runner(8)
run_words = _runner(16)
