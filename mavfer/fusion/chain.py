"""A chain of normal variables, each tied to its neighbours alone: means, variances, covariances.

The precision of such a chain has three diagonals, so that Cholesky's factor from either end gives
all that is asked for in time that grows with the length of the chain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import cho_solve_banded, cholesky_banded

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["Chain", "solve_chain"]


@dataclass(frozen=True)
class Chain:
    """Moments of a chain of T normal variables."""

    mean: NDArray[np.float64]
    """(T,)."""
    variance: NDArray[np.float64]
    """(T,)."""
    covariance: NDArray[np.float64]
    """(T,), of each with the one before; 0 for the first."""

    @property
    def before(self) -> tuple[Floats, Floats]:
        """Mean and variance (T,) of the one before; 0 for the first."""
        return np.append(0.0, self.mean[:-1]), np.append(0.0, self.variance[:-1])


def solve_chain(
    diagonal: NDArray[np.float64], beside: NDArray[np.float64], pull: NDArray[np.float64]
) -> Chain:
    """Moments of the chain whose log density is -x'Px/2 + pull'x.

    Args:
        diagonal: (T,), of the precision P.
        beside: (T,), element of P between each and the one before; the first is not used.
        pull: (T,).

    Source: the variances follow from the pivots of both eliminations, as in Meurant 1992, SIAM J.
    Matrix Anal. Appl. 13(3), 707-728, theorem 2.3, for symmetric tridiagonal matrices.
    """
    forward = cholesky_banded(np.stack([beside, diagonal]))
    backward = cholesky_banded(np.stack([np.append(0.0, beside[:0:-1]), diagonal[::-1]]))
    pivots, pivots_back = forward[1] ** 2, backward[1][::-1] ** 2
    variance = 1 / (pivots + pivots_back - diagonal)
    covariance = np.zeros(len(diagonal))
    covariance[1:] = -beside[1:] / pivots[:-1] * variance[1:]
    return Chain(cho_solve_banded((forward, False), pull), variance, covariance)
