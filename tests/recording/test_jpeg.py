"""Color frames as JPEG."""

from __future__ import annotations

import cv2
import numpy as np

from recording.jpeg import JpegEncoder


def _picture(seed):
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return cv2.resize(small, (64, 48), interpolation=cv2.INTER_CUBIC)


def _decoded(content):
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    return picture[..., ::-1].astype(int)


def test_each_frame_comes_back_with_its_own_colors():
    encoder = JpegEncoder()
    frames = [_picture(seed) for seed in range(4)]
    contents = [encoder.encode(frame) for frame in frames]

    for frame, content in zip(frames, contents, strict=True):
        assert np.abs(_decoded(content) - frame).mean() < 3


def test_frames_of_bgr_give_the_same_bytes():
    encoder, frame = JpegEncoder(), _picture(5)
    view = np.ascontiguousarray(frame[..., ::-1])[..., ::-1]

    assert encoder.encode(view) == encoder.encode(frame)
    assert np.array_equal(view, frame)  # the encoder's own memory is not the camera's


def test_quality_is_95():
    tables = cv2.imencode(".jpg", _picture(1), [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    content = JpegEncoder().encode(_picture(1)[..., ::-1])
    start = tables.index(b"\xff\xdb")

    assert content[start : start + 69] == tables[start : start + 69]
