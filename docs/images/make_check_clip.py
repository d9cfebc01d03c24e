"""Draws annotator_web/static/check.mp4: the clip of the device check, made as media for raters are.

python docs/images/make_check_clip.py
"""

import tempfile
from pathlib import Path

import numpy as np

from mavfer.study.media_writer import writing_media

TARGET = Path(__file__).parents[2] / "annotator_web" / "static" / "check.mp4"
WIDTH, HEIGHT, RATE_HZ, FRAMES = 320, 180, 30, 90
MOUTH = 8
CREAM, BLUE, SKIN, INK = (250, 240, 224), (218, 232, 250), (255, 190, 92), (43, 33, 24)


def picture(number: int) -> np.ndarray:
    """RGB (H, W, 3): a smiling face on its way round."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(float)
    share = (x / WIDTH)[..., None]
    canvas = (1 - share) * np.array(BLUE) + share * np.array(CREAM)
    angle = 2 * np.pi * number / FRAMES
    left, top = WIDTH / 2 + 90 * np.sin(angle), HEIGHT / 2 + 34 * np.sin(2 * angle)
    across, down = x - left, y - top

    def paint(distance: np.ndarray, color: tuple[int, int, int]) -> None:
        cover = np.clip(0.5 - distance, 0, 1)[..., None]
        canvas[:] = (1 - cover) * canvas + cover * np.array(color)

    paint(np.hypot(across, down) - 44, SKIN)
    for side in (-1, 1):
        paint(np.hypot(across - 15 * side, (down + 9) * 0.8) - 5, INK)
    ring = np.abs(np.hypot(across, down - 2) - 22) - 2.6
    paint(np.where(down > MOUTH, ring, 1), INK)
    return np.rint(canvas).astype(np.uint8)


def main() -> None:
    """Writes the clip."""
    times = np.rint(np.arange(FRAMES) * 1e9 / RATE_HZ).astype(np.int64)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "check.mp4"
        with writing_media(
            path,
            session="check-001",
            host_ns=times,
            size=(WIDTH, HEIGHT),
            sound_from=None,
            session_sha256="0" * 64,
        ) as writer:
            for number in range(FRAMES):
                writer.write(picture(number))
        TARGET.write_bytes(path.read_bytes())


if __name__ == "__main__":
    main()
