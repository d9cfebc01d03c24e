"""WebDataset: clips in tar files, color as JPEG of quality 95, depth and thermal as 16-bit PNG.

Its clips cannot begin anywhere: they are cut when the tar is written, and are read in the order of
the tar, through a buffer of 16 that shuffles them. Color is not what was recorded.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from mavfer.streams import STREAM_NAMES
from peers.ours import BATCH, LENGTH

__all__ = ["clips", "write"]

_BUFFERED_CLIPS = 16
_ENDINGS = {"color": "jpg", "depth": "png", "thermal": "png"}
_OPTIONS = {
    "jpg": [cv2.IMWRITE_JPEG_QUALITY, 95],
    "png": [cv2.IMWRITE_PNG_COMPRESSION, 1],
}


def write(recordings, folder: Path) -> dict[str, int]:
    """One tar a session, a sample a clip; bytes of each session, as if it had no rest."""
    import webdataset

    folder.mkdir()
    for recording in recordings:
        with webdataset.TarWriter(str(folder / f"{recording.session}.tar")) as tar:
            for first in range(0, len(recording) - LENGTH + 1, LENGTH):
                tar.write(_sample(recording, first))
    whole = {r.session: len(r) / (len(r) // LENGTH * LENGTH) for r in recordings}
    return {path.stem: int(whole[path.stem] * path.stat().st_size) for path in folder.iterdir()}


def _sample(recording, first):
    sample = {"__key__": f"{recording.session}-{first:06d}"}
    for name in STREAM_NAMES:
        ending = _ENDINGS[name]
        for turn, frame in enumerate(recording.stream(name)[first : first + LENGTH]):
            bgr = frame[..., ::-1] if name == "color" else frame
            _, coded = cv2.imencode(f".{ending}", bgr, _OPTIONS[ending])
            sample[f"{name}{turn:02d}.{ending}"] = coded.tobytes()
    return sample


def clips(folder: Path):
    """An iterable data set of batches without end; tars are dealt out to the workers."""
    import webdataset
    from torch.utils.data import default_collate

    tars = sorted(str(path) for path in folder.glob("*.tar"))
    shards = webdataset.ResampledShards(tars, deterministic=True)
    return webdataset.DataPipeline(
        shards,
        webdataset.tarfile_to_samples(),
        webdataset.shuffle(_BUFFERED_CLIPS),
        webdataset.map(_decoded),
        webdataset.batched(BATCH, collation_fn=default_collate),
    )


def _decoded(sample):
    return {name: _frames(sample, name) for name in STREAM_NAMES}


def _frames(sample, name):
    """Images decoded one by one, each copied into the clip."""
    flag = cv2.IMREAD_COLOR_RGB if name == "color" else cv2.IMREAD_UNCHANGED
    frames = None
    for turn in range(LENGTH):
        coded = np.frombuffer(sample[f"{name}{turn:02d}.{_ENDINGS[name]}"], np.uint8)
        frame = cv2.imdecode(coded, flag)
        if frames is None:
            frames = np.empty((LENGTH, *frame.shape), frame.dtype)
        frames[turn] = frame
    return frames
