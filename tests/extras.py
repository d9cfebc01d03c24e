"""Installs mavfer into a fresh environment per extra and runs the tests that this extra allows.

    python tests/extras.py base record preprocess …

"base" is the install without any extra: every room must import, and shards must be readable.
"""

import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ROOMS = "import mavfer, recording, annotator_web, baselines, mavfer.cli, mavfer.schemas"
UNLOCKS = {
    "base": "import mavfer.dataset",
    "record": "import cv2, av",
    "preprocess": "import dlib, numba, mavfer.preprocess",
    "models": "from mavfer.vision.landmark_model import find_landmark_model as f; f()",
    "annotate": "import flask, sqlalchemy",
    "train": "import torch, sklearn, safetensors",
    "fast": "import numba, isal, mavfer.study.kernels.frames",
    "plot": "import matplotlib, mavfer.showing.picture",
    "demo": "import skimage, matplotlib",
}
COMPILED = {"gige": "import gi"}
"""Likewise of extras that need headers of the system to be compiled against, and so are part of no
other: they are tried where they are named, and a test environment does not have them."""


def check(extra: str) -> bool:
    """Whether the extra installs from the source and imports what it promises."""
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / "bin" / "python"
        target = str(ROOT) if extra == "base" else f"{ROOT}[{extra}]"
        pins = ["-c", str(ROOT / "constraints.txt")]
        install = [python, "-m", "pip", "install", "-q", *pins, target]
        smoke = [python, "-c", f"{ROOMS}; {(UNLOCKS | COMPILED)[extra]}"]
        steps = [install, smoke, [python, "-m", "mavfer", "--help"]]
        done = all(subprocess.run(step, cwd=folder, check=False).returncode == 0 for step in steps)
    print(f"{extra}: {'passed' if done else 'FAILED'}", flush=True)
    return done


if __name__ == "__main__":
    sys.exit(0 if all([check(extra) for extra in sys.argv[1:]]) else 1)
