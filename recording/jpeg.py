"""Color frames as JPEG, by the encoder that OpenCV brings.

It takes a quarter of the time of FFmpeg's, and less than half of what H.264 takes, for files twice
as large: the way for weak machines and large frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from mavfer.errors import DeviceError, require

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["encode_jpeg"]

_QUALITY: Final = 95


def encode_jpeg(pixels: NDArray[np.uint8]) -> bytes:
    """A frame (H, W, 3), RGB, as a JPEG of quality 95 with halved color resolution.

    Raises:
        MissingExtra: OpenCV is not installed.
        DeviceError: OpenCV cannot encode it.
    """
    cv2 = require("cv2", "record")
    picture = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    is_encoded, content = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not is_encoded:
        message = f"color frame of {pixels.shape} cannot be written as JPEG. Use another codec"
        raise DeviceError(message)
    return bytes(content)
