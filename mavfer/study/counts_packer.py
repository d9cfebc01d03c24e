"""16-bit frames as HDF5's filter Bitshuffle with LZ4 stores them, packed before HDF5 is asked.

libhdf5 lets one thread in at a time, and its filter, as it comes with `hdf5plugin`, uses no
instruction of the last fifteen years. Where numba is installed, frames are packed outside of it, by
a compiled loop that holds no lock, in a third of the time; the bytes are the filter's own format.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from mavfer.study.kernels import find_kernels

if TYPE_CHECKING:
    from types import ModuleType

    from numpy.typing import NDArray

__all__ = ["BITSHUFFLE_FILTER", "CountsPacker", "counts_packer"]

BITSHUFFLE_FILTER: Final = 32008
"""Number of the filter, as registered with the HDF Group."""


class CountsPacker:
    """Packs frames of one size, one thread; made by `counts_packer`."""

    def __init__(self, kernels: ModuleType, shape: tuple[int, int]) -> None:
        """Takes the compiled loops, and runs them once, so that no frame waits for a compiler."""
        self._pack, self._shape = kernels.pack_counts, shape
        self._scratch = kernels.CountsScratch(shape[0] * shape[1])
        self.pack(np.zeros(shape, np.uint16))

    def pack(self, counts: NDArray[np.uint16]) -> memoryview:
        """The chunk of a frame (H, W), uint16; holds until the next is packed.

        Raises:
            ValueError: The frame has another shape.
        """
        if counts.shape != self._shape:
            message = f"frame of {counts.shape} in a stream of {self._shape}"
            raise ValueError(message)
        held = self._scratch
        flat = np.ascontiguousarray(counts, np.uint16).reshape(-1)
        if not flat.flags.writeable:  # numba would compile all anew for it
            flat = flat.copy()
        length = self._pack(flat, held.low, held.high, held.planes, held.chunk)
        packed: memoryview = held.chunk.data[:length]
        return packed


def counts_packer(shape: tuple[int, int]) -> CountsPacker | None:
    """A packer for frames (H, W); None where numba is not installed, and the filter must do."""
    kernels = _compiled()
    return None if kernels is None else CountsPacker(kernels, shape)


def _compiled() -> ModuleType | None:
    """The compiled loops, where numba is installed."""
    return find_kernels(
        "counts", "depth and thermal are packed by HDF5's filter, three times slower"
    )
