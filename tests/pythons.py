"""Runs the core's tests on every Python that is installed here, without any extra.

    python tests/pythons.py

Each gets a fresh environment. Newest releases are taken: pins are for one Python.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VERSIONS = ("3.11", "3.12", "3.13", "3.14")
CORE = (
    *("test_clips.py", "test_clip_grid.py", "test_dataset.py", "test_views.py", "test_metrics.py"),
    *("test_files.py", "test_schema.py", "agreement/test_pairs.py", "agreement/test_resampling.py"),
    *("fusion/test_fuse.py", "fusion/test_lags.py", "fusion/test_model.py"),
    *(f"study/test_{name}.py" for name in ("pixels", "shards", "shard_index", "labels", "splits")),
)
TOOLS = ("pytest", "hypothesis")


def find_python(version: str) -> str | None:
    """An interpreter of this version, also where pyenv keeps it."""
    pyenv = Path.home() / ".pyenv" / "versions"
    kept = [str(path) for path in sorted(pyenv.glob(f"{version}.*/bin/python"))]
    for python in [shutil.which(f"python{version}"), *kept]:
        if (
            python
            and not subprocess.run([python, "-c", ""], check=False, capture_output=True).returncode
        ):
            return python
    return None


def check(version: str) -> bool | None:
    """Whether the core's tests pass; None where there is no such Python."""
    python = find_python(version)
    if python is None:
        print(f"Python {version}: not installed here", flush=True)
        return None
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([python, "-m", "venv", folder], check=True)
        own = str(Path(folder) / "bin" / "python")
        subprocess.run([own, "-m", "pip", "install", "-q", *TOOLS, str(ROOT)], check=True)
        tests = [str(ROOT / "tests" / "mavfer" / name) for name in CORE]
        options = ["-q", "-p", "no:cacheprovider", "--rootdir", str(ROOT)]
        done = subprocess.run([own, "-m", "pytest", *options, *tests], cwd=folder, check=False)
    print(f"Python {version}: {'FAILED' if done.returncode else 'passed'}", flush=True)
    return not done.returncode


if __name__ == "__main__":
    sys.exit(1 if False in [check(version) for version in VERSIONS] else 0)
