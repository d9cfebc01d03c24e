"""Makes the photographs and figures of the documents from a demo's study (`make demo` first).

python docs/images/make_pictures.py demo-study
"""

import sys
from pathlib import Path

import numpy as np

import mavfer
from mavfer.report.sheets import session_rows
from mavfer.study.session import Session
from mavfer.study.study import Study
from mavfer.vision.pictures import contact_sheet, depth_picture, encode_picture, thermal_picture

FOLDER = Path(__file__).parent
BRIGHT, DARK, GAPPED = "P03-001", "P03-002", "P01-002"
COLUMNS, TILE = 8, 112


def write(name: str, rows: list, tile: int = TILE) -> None:
    """Writes one contact sheet beside this script."""
    FOLDER.joinpath(name).write_bytes(encode_picture(contact_sheet(rows, tile=tile), quality=85))


def as_recorded(session: Session, columns: int = 4) -> list:
    """Whole frames as the cameras gave them, cut square."""
    frames = [frame.rgb() for frame in session.color_frames()]
    mm_per_count = session.document["streams"]["depth"]["depth_mm_per_count"]
    rows = [[], [], []]
    for share in np.linspace(0.1, 0.9, columns):
        depth, thermal = (
            session.read(stream, index, index + 1)[0]
            for stream in ("depth", "thermal")
            for index in [int(share * len(session.times(stream)))]
        )
        rows[0].append(square(frames[int(share * len(frames))]))
        rows[1].append(square(depth_picture((depth * mm_per_count).astype(np.uint16))))
        rows[2].append(square(thermal_picture(thermal)))
    return rows


def square(picture: np.ndarray) -> np.ndarray:
    """The middle of a picture."""
    margin = (picture.shape[1] - picture.shape[0]) // 2
    return picture[:, margin : margin + picture.shape[0]]


def write_figures(root: Path) -> None:
    """Writes what docs/load.md shows of looking at recordings."""
    dataset = mavfer.load(root)
    figures = {
        "show.jpg": dataset[BRIGHT].show(17, landmarks=True),
        "plot.jpg": dataset[GAPPED].plot(),
        "plots.jpg": dataset.plot(limit=6),
    }
    for name, figure in figures.items():
        figure.savefig(FOLDER / name, dpi=120, pil_kwargs={"quality": 88})


def main() -> None:
    """Writes all of them."""
    root = Path(sys.argv[1])
    write_figures(root)
    dataset = mavfer.load(root, labels=None)
    write("contact_sheet.jpg", list(session_rows(dataset[BRIGHT], COLUMNS).values()))
    write("dark.jpg", list(session_rows(dataset[DARK], COLUMNS).values()))
    write("simulated.jpg", as_recorded(Session.open(Study.open(root).session_folder(BRIGHT))), 224)


if __name__ == "__main__":
    main()
