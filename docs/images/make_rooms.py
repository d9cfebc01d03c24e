"""Draws docs/images/rooms.svg: the four packages, the floors of `mavfer`, and what passes between.

python docs/images/make_rooms.py
"""

from pathlib import Path

FLOORS = [
    ("cli · demo", "the command line; the demo runs it"),
    ("report · check", "read a study, change nothing"),
    ("interchange", "foreign files in and out"),
    ("preprocess · dataset", "sessions to shards; load()"),
    ("clips", "what training sees"),
    ("study", "the folder on disk, one file of code per format"),
    ("vision", "the cameras' side: arrays in, arrays out"),
    ("schema · files · streams · progress · errors", "the ground"),
]
TOOLS = [
    ("recording", "cameras, recorder,", "simulated rig"),
    ("annotator_web", "raters in", "a browser"),
    ("baselines", "models, training,", "comparison"),
]
WIDTH, FLOOR_HEIGHT, LEFT, TOP = 860, 38, 260, 150
STYLE = """
text { font-family: system-ui, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif; fill: #1f2933; }
.name { font-size: 15px; font-weight: 600; } .note { font-size: 12.5px; fill: #5b6775; }
.tool { fill: #fdf7ec; stroke: #e09f3e; } .floor { fill: #eef5f2; stroke: #2a7f62; }
.disk { fill: #f5f7f9; stroke: #9aa5b1; }
.arrow { stroke: #5b6775; stroke-width: 1.6; fill: none; marker-end: url(#head); }
"""


def box(kind: str, x: float, y: float, width: float, height: float) -> str:
    """A rounded rectangle."""
    return f'<rect class="{kind}" x="{x}" y="{y}" width="{width}" height="{height}" rx="7"/>'


def text(kind: str, x: float, y: float, words: str, anchor: str = "start") -> str:
    """One line of text."""
    return f'<text class="{kind}" x="{x}" y="{y}" text-anchor="{anchor}">{words}</text>'


def arrow(path: str) -> str:
    """A line with a head at its end."""
    return f'<path class="arrow" d="{path}"/>'


def tools() -> list[str]:
    """The three tools above the core."""
    parts = []
    for number, (name, *notes) in enumerate(TOOLS):
        x = LEFT + number * 200
        parts += [box("tool", x, 20, 180, 78), text("name", x + 90, 43, name, "middle")]
        parts += [text("note", x + 90, 64 + 17 * i, note, "middle") for i, note in enumerate(notes)]
        parts.append(arrow(f"M{x + 90} 98 V{TOP - 14}"))
    return parts


def floors() -> list[str]:
    """The floors of the core, top to bottom."""
    parts = []
    for number, (name, note) in enumerate(FLOORS):
        y = TOP + number * FLOOR_HEIGHT
        parts += [box("floor", LEFT, y, 580, FLOOR_HEIGHT - 6)]
        parts += [text("name", LEFT + 14, y + 21, name)]
        parts += [text("note", LEFT + 566, y + 21, note, "end")]
    return parts


def main() -> None:
    """Writes the picture beside this script."""
    height = TOP + len(FLOORS) * FLOOR_HEIGHT + 52
    middle = TOP + 5 * FLOOR_HEIGHT + 16
    parts = [
        *tools(),
        *floors(),
        text(
            "note",
            LEFT,
            height - 26,
            "Imports only go down. Tools never import each other: they meet in the study's files.",
        ),
        box("disk", 20, 130, 190, 330),
        text("name", 115, 156, "a study on disk", "middle"),
        *(
            text("note", 40, 184 + 22 * i, name)
            for i, name in enumerate(
                [
                    "study.json",
                    "participants.csv",
                    "consents/",
                    "calibration/",
                    "sessions/",
                    "media/",
                    "shards/",
                    "ratings/",
                    "labels/",
                    "splits/",
                    "results/",
                ]
            )
        ),
        text("note", 115, 444, "each file has a schema", "middle"),
        arrow(f"M{LEFT} {middle} H214"),
    ]
    head = (
        '<marker id="head" markerWidth="8" markerHeight="8" refX="6" refY="3" orient="auto">'
        '<path d="M0 0 L6 3 L0 6 z" fill="#5b6775"/></marker>'
    )
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="The rooms of mavfer">\n<style>{STYLE}</style>\n<defs>{head}</defs>\n'
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )
    Path(__file__).with_name("rooms.svg").write_text(svg, encoding="utf-8")


if __name__ == "__main__":
    main()
