"""Draws docs/images/recording.svg: a terminal while a take goes on, and when it is over.

The text is what a simulated take of half a minute showed, with a mark of a stimulus; needs tmux.

python docs/images/make_terminal.py
"""

import html
import re
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

COLUMNS, LINES = 88, 18
CHARACTER, LINE_HEIGHT, MARGIN = 7.8, 18, 16
SERVER = "mavfer-picture"
RIG = """\
format = "mavfer.rig"
version = 1
name = "lab"
calibration = "factory"

[cameras.color]
driver = "simulated"
size = [160, 120]
rate_hz = 15

[cameras.depth]
driver = "simulated"
size = [160, 120]
rate_hz = 15

[cameras.thermal]
driver = "simulated"
size = [80, 64]
rate_hz = 9
"""
STYLE = """
text { font: 13px 'DejaVu Sans Mono', Menlo, Consolas, monospace; fill: #d7dee6; white-space: pre; }
.screen { fill: #1f2933; } .bar { fill: #4fb286; } .command { fill: #f0c674; }
"""


def tmux(*words: str) -> str:
    """What tmux answers, of a server of our own."""
    command = ["tmux", "-L", SERVER, *words]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def mavfer(*words: str, folder: Path) -> bool:
    """Whether a command ended well."""
    command = [sys.executable, "-m", "mavfer", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode == 0


def screen() -> list[str]:
    """The lines of the terminal that have text."""
    return tmux("capture-pane", "-p", "-t", "take").rstrip("\n").splitlines()


def record(folder: Path) -> tuple[list[str], list[str]]:
    """The terminal in the middle of a take, and when it is over."""
    (folder / "lab.toml").write_text(RIG)
    mavfer("init", "my-study", folder=folder)
    command = (
        f"{sys.executable} -m mavfer record my-study --subject S01 --rig lab.toml --seconds 30"
    )
    size = ("-x", str(COLUMNS), "-y", str(LINES))
    tmux("new-session", "-d", "-s", "take", *size, "-c", str(folder), f"{command}; sleep 60")
    try:
        while not mavfer("mark", "my-study", "video 1", folder=folder):
            time.sleep(1)
        while not re.search(r"0:(1[5-9]|2\d) of", "\n".join(screen())):
            time.sleep(0.2)
        during = screen()
        while not re.search(r"^  files ", "\n".join(screen()), re.MULTILINE):
            time.sleep(0.5)
        return during, screen()
    finally:
        tmux("kill-server")


def draw_line(line: str, y: float) -> str:
    """One line of the terminal; blocks of a bar are drawn as one rectangle."""
    kind = ' class="command"' if line.startswith("$ ") else ""
    drawn = []
    edges = [0, *(m.start() for m in re.finditer("(?<=[^█])█|(?<=█)[^█]", line)), len(line)]
    for begin, end in pairwise(edges):
        piece, x, width = line[begin:end], begin * CHARACTER, (end - begin) * CHARACTER
        if piece.startswith("█"):
            height = LINE_HEIGHT - 5
            drawn.append(f'<rect class="bar" x="{MARGIN + x:.1f}" y="{y - height + 3:.1f}" '
                         f'width="{width:.1f}" height="{height}"/>')  # fmt: skip
        elif piece.strip():
            words = html.escape(re.sub("[▏▎▍▌▋▊▉]", " ", piece))
            drawn.append(f'<text{kind} x="{MARGIN + x:.1f}" y="{y:.1f}" textLength="{width:.1f}" '
                         f'xml:space="preserve">{words}</text>')  # fmt: skip
    return "".join(drawn)


def draw(screens: list[list[str]]) -> str:
    """Terminals, one above the other."""
    width = round(2 * MARGIN + COLUMNS * CHARACTER)
    parts, top = [], 0
    for lines in screens:
        height = 2 * MARGIN + LINE_HEIGHT * len(lines)
        parts.append(f'<rect class="screen" y="{top}" width="{width}" height="{height}" rx="8"/>')
        parts += [draw_line(line.rstrip(), top + MARGIN + LINE_HEIGHT * (number + 0.75))
                  for number, line in enumerate(lines)]  # fmt: skip
        top += height + MARGIN
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {top - MARGIN}" '
        f'width="{width}"><style>{STYLE}</style>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def main() -> None:
    """Writes the picture beside this script."""
    with tempfile.TemporaryDirectory() as folder:
        during, after = record(Path(folder))
    command = "$ mavfer record my-study --subject S01 --rig lab.toml --seconds 30"
    report = after[next(n for n, line in enumerate(after) if re.match(r"\S+: ok|rec", line)) :]
    Path(__file__).with_name("recording.svg").write_text(draw([[command, *during], report]))


if __name__ == "__main__":
    main()
