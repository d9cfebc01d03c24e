"""Color frames as JPEG, by libjpeg-turbo.

simplejpeg hands it a frame as it lies in memory, RGB or BGR; by way of OpenCV, which takes BGR and
gives a copy, it takes a tenth longer, and FFmpeg's own JPEG encoder takes four times as long. H.264
takes twice as long, for files half the size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from mavfer.errors import DeviceError, require
from mavfer.study.picture_converter import as_stored

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["JpegEncoder"]

_QUALITY: Final = 95
_COLORSPACES: Final = {"rgb24": "RGB", "bgr24": "BGR"}


class JpegEncoder:
    """Frames as JPEGs of quality 95 with halved color resolution; one thread."""

    def __init__(self) -> None:
        """Prepares.

        Raises:
            MissingExtra: simplejpeg, which brings libjpeg-turbo, is not installed.
        """
        self._simplejpeg: Any = require("simplejpeg", "record")

    def encode(self, pixels: NDArray[np.uint8]) -> bytes:
        """A frame (H, W, 3), RGB, as a JPEG.

        Raises:
            DeviceError: libjpeg-turbo cannot encode it.
        """
        picture, order = as_stored(pixels)
        try:
            content: bytes = self._simplejpeg.encode_jpeg(
                picture,
                quality=_QUALITY,
                colorspace=_COLORSPACES[order],
                colorsubsampling="420",
            )
        except ValueError as error:
            message = (
                f"color frame of {pixels.shape} cannot be written as JPEG: {error}. "
                f"Use another codec"
            )
            raise DeviceError(message) from error
        return content
