"""Compiled inner loops: posing, projecting and drawing the mesh.

Numba is needed to import this module, so its neighbours import it inside functions only.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["draw_color", "draw_scalar", "pose", "project", "shade"]

_F32 = np.float32
_HALF = np.float32(0.5)
_HALF_OPACITY = 127
_OPACITY = 3
_NEARLY_ONE = np.float32(0.99999)
_RIM = np.float32(-1e-5)
"""Neighbouring triangles share their rim, so that no crack opens between them."""


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def pose(  # noqa: PLR0917 (numba has no keyword-only arguments)
    points: NDArray[np.float32],
    fields: NDArray[np.float32],
    weights: NDArray[np.float32],
    turn: NDArray[np.float32],
    rotation: NDArray[np.float32],
    pivot: NDArray[np.float32],
    translation: NDArray[np.float32],
    posed: NDArray[np.float32],
) -> None:
    """Writes vertices (V, 3) with an expression, in the color camera's frame, to `posed`.

    A vertex with `turn` 1 is rotated about the pivot, one with 0 is not; all are then translated.
    """
    for i in range(points.shape[0]):
        x, y, z = points[i, 0] - pivot[0], points[i, 1] - pivot[1], points[i, 2] - pivot[2]
        for k in range(weights.shape[0]):
            x += weights[k] * fields[k, i, 0]
            y += weights[k] * fields[k, i, 1]
            z += weights[k] * fields[k, i, 2]
        t = turn[i]
        for axis in range(3):
            turned = rotation[axis, 0] * x + rotation[axis, 1] * y + rotation[axis, 2] * z
            still = x if axis == 0 else (y if axis == 1 else z)
            posed[i, axis] = still + t * (turned - still) + pivot[axis] + translation[axis]


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def shade(  # noqa: PLR0917 (numba has no keyword-only arguments)
    posed: NDArray[np.float32],
    rows: int,
    columns: int,
    toward_light: NDArray[np.float32],
    ambient: float,
    strength: float,
    light: NDArray[np.float32],
) -> None:
    """Writes the light (V,) on each vertex of a grid: ambient plus Lambert's cosine."""
    for row in range(rows):
        above, below = max(row - 1, 0) * columns, min(row + 1, rows - 1) * columns
        for column in range(columns):
            left, right = max(column - 1, 0), min(column + 1, columns - 1)
            base = row * columns
            ax = posed[base + right, 0] - posed[base + left, 0]
            ay = posed[base + right, 1] - posed[base + left, 1]
            az = posed[base + right, 2] - posed[base + left, 2]
            bx = posed[below + column, 0] - posed[above + column, 0]
            by = posed[below + column, 1] - posed[above + column, 1]
            bz = posed[below + column, 2] - posed[above + column, 2]
            nx, ny, nz = az * by - ay * bz, ax * bz - az * bx, ay * bx - ax * by
            length = math.sqrt(nx * nx + ny * ny + nz * nz) + 1e-9
            cosine = (nx * toward_light[0] + ny * toward_light[1] + nz * toward_light[2]) / length
            light[base + column] = strength * (ambient + (1 - ambient) * max(cosine, 0.0))


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def project(
    posed: NDArray[np.float32],
    camera_from_color: NDArray[np.float64],
    matrix: NDArray[np.float64],
    distortion: NDArray[np.float64],
    screen: NDArray[np.float32],
) -> None:
    """Writes pixel x, pixel y and depth (V, 3) through the lens (Brown-Conrady)."""
    k1, k2, p1, p2, k3 = distortion
    for i in range(posed.shape[0]):
        x = camera_from_color[0, 3]
        y = camera_from_color[1, 3]
        z = camera_from_color[2, 3]
        for axis in range(3):
            x += camera_from_color[0, axis] * posed[i, axis]
            y += camera_from_color[1, axis] * posed[i, axis]
            z += camera_from_color[2, axis] * posed[i, axis]
        u, v = x / z, y / z
        r2 = u * u + v * v
        radial = 1 + r2 * (k1 + r2 * (k2 + r2 * k3))
        du = u * radial + 2 * p1 * u * v + p2 * (r2 + 2 * u * u)
        dv = v * radial + p1 * (r2 + 2 * v * v) + 2 * p2 * u * v
        screen[i, 0] = matrix[0, 0] * du + matrix[0, 1] * dv + matrix[0, 2]
        screen[i, 1] = matrix[1, 1] * dv + matrix[1, 2]
        screen[i, 2] = z


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def draw_color(  # noqa: PLR0917 (numba has no keyword-only arguments)
    image: NDArray[np.uint8],
    nearest: NDArray[np.float32],
    triangles: NDArray[np.int32],
    screen: NDArray[np.float32],
    texels: NDArray[np.float32],
    light: NDArray[np.float32],
    texture: NDArray[np.uint8],
) -> None:
    """Blends textured triangles over `image` (H, W, 3), keeping `nearest` (H, W) as depth test.

    Triangles seen from behind are left out. Texture is (h, w, 4) with opacity last.
    """
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        x0, x1, y0, y1 = _box(screen, a, b, c, nearest.shape)
        if x0 >= x1 or y0 >= y1 or _area(screen, a, b, c) <= 0:
            continue
        ax, ay, qx, qy, rx, ry = _slopes(screen, a, b, c)
        za, zq, zr = _corners(screen, 2, a, b, c)
        ua, uq, ur = _corners(texels, 0, a, b, c)
        va, vq, vr = _corners(texels, 1, a, b, c)
        la, lq, lr = light[a], light[b] - light[a], light[c] - light[a]
        for y in range(y0, y1):
            for x in range(x0, x1):
                dx, dy = _F32(x) - ax, _F32(y) - ay
                q, r = qx * dx + qy * dy, rx * dx + ry * dy
                z = za + q * zq + r * zr
                if min(q, r, _F32(1) - q - r) < _RIM or z >= nearest[y, x]:
                    continue
                u, v, lit = ua + q * uq + r * ur, va + q * vq + r * vr, la + q * lq + r * lr
                if _blend(image, texture, x, y, u, v, lit) > _HALF:
                    nearest[y, x] = z


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
def draw_scalar(  # noqa: PLR0917 (numba has no keyword-only arguments)
    image: NDArray[np.float32],
    nearest: NDArray[np.float32],
    triangles: NDArray[np.int32],
    screen: NDArray[np.float32],
    texels: NDArray[np.float32],
    values: NDArray[np.float32],
    texture: NDArray[np.uint8],
) -> None:
    """Draws `values` (V,) into `image` (H, W) where the texture is opaque, with a depth test."""
    for t in range(triangles.shape[0]):
        a, b, c = triangles[t, 0], triangles[t, 1], triangles[t, 2]
        x0, x1, y0, y1 = _box(screen, a, b, c, nearest.shape)
        if x0 >= x1 or y0 >= y1 or _area(screen, a, b, c) <= 0:
            continue
        ax, ay, qx, qy, rx, ry = _slopes(screen, a, b, c)
        za, zq, zr = _corners(screen, 2, a, b, c)
        ua, uq, ur = _corners(texels, 0, a, b, c)
        va, vq, vr = _corners(texels, 1, a, b, c)
        wa, wq, wr = values[a], values[b] - values[a], values[c] - values[a]
        for y in range(y0, y1):
            for x in range(x0, x1):
                dx, dy = _F32(x) - ax, _F32(y) - ay
                q, r = qx * dx + qy * dy, rx * dx + ry * dy
                z = za + q * zq + r * zr
                if min(q, r, _F32(1) - q - r) < _RIM or z >= nearest[y, x]:
                    continue
                left = np.int32(ua + q * uq + r * ur + _HALF)
                top = np.int32(va + q * vq + r * vr + _HALF)
                if texture[top, left, 3] > _HALF_OPACITY:
                    nearest[y, x] = z
                    image[y, x] = wa + q * wq + r * wr


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy", inline="always")
def _area(screen: NDArray[np.float32], a: int, b: int, c: int) -> Any:
    """Twice a triangle's area on the screen, negative when it is seen from behind."""
    return (screen[b, 0] - screen[a, 0]) * (screen[c, 1] - screen[a, 1]) - (
        screen[c, 0] - screen[a, 0]
    ) * (screen[b, 1] - screen[a, 1])


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy", inline="always")
def _slopes(
    screen: NDArray[np.float32], a: int, b: int, c: int
) -> tuple[Any, Any, Any, Any, Any, Any]:
    """The first corner, and what a pixel's step in x and y adds to the shares of b and c."""
    per_area = _F32(1) / _area(screen, a, b, c)
    ax, ay = screen[a, 0], screen[a, 1]
    return (
        ax,
        ay,
        (screen[c, 1] - ay) * per_area,
        (ax - screen[c, 0]) * per_area,
        (ay - screen[b, 1]) * per_area,
        (screen[b, 0] - ax) * per_area,
    )


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy", inline="always")
def _corners(
    table: NDArray[np.float32], column: int, a: int, b: int, c: int
) -> tuple[Any, Any, Any]:
    """A value at the first corner, and what the shares of b and c add to it."""
    first = table[a, column]
    return first, table[b, column] - first, table[c, column] - first


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy", inline="always")
def _box(
    screen: NDArray[np.float32], a: int, b: int, c: int, shape: tuple[int, int]
) -> tuple[Any, Any, Any, Any]:
    """First and past-the-end column and row of a triangle, within the image."""
    ax, ay, bx, by = screen[a, 0], screen[a, 1], screen[b, 0], screen[b, 1]
    cx, cy = screen[c, 0], screen[c, 1]
    return (
        max(np.int32(min(ax, bx, cx) + _NEARLY_ONE), 0),
        min(np.int32(max(ax, bx, cx)) + 1, shape[1]),
        max(np.int32(min(ay, by, cy) + _NEARLY_ONE), 0),
        min(np.int32(max(ay, by, cy)) + 1, shape[0]),
    )


@njit(cache=True, nogil=True, fastmath=True, error_model="numpy", inline="always")
def _blend(  # noqa: PLR0917 (numba has no keyword-only arguments)
    image: NDArray[np.uint8],
    texture: NDArray[np.uint8],
    x: int,
    y: int,
    u: float,
    v: float,
    lit: float,
) -> Any:
    """Lays the texture at (u, v) over the pixel (x, y); returns how opaque it is, 0-1."""
    left, top = np.int32(u), np.int32(v)
    fx, fy = u - _F32(left), v - _F32(top)
    w11 = fx * fy
    w10, w01 = fy - w11, fx - w11
    w00 = _F32(1) - fx - w10
    opacity = _F32(0)
    for channel in range(3, -1, -1):  # opacity first
        value = (
            w00 * _F32(texture[top, left, channel])
            + w01 * _F32(texture[top, left + 1, channel])
            + w10 * _F32(texture[top + 1, left, channel])
            + w11 * _F32(texture[top + 1, left + 1, channel])
        )
        if channel == _OPACITY:
            opacity = value * _F32(1 / 255)
        else:
            below = _F32(image[y, x, channel])
            lit_value = min(value * lit, _F32(255))
            image[y, x, channel] = np.uint8(below + opacity * (lit_value - below) + _HALF)
    return opacity
