"""Fixtures of mavfer's own tests."""

import importlib.util
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from mavfer.cli import run
from mavfer.study.study import Study

HERE = Path(__file__).parent
FACTORY = HERE / "shard_factory.py"
RELEASE_FACTORY = HERE / "release_factory.py"
FACE_FRAMES = 12

sys.path.insert(0, str(HERE / "study"))


def imported(path):
    """The module in a file that is on nobody's path."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def shard_factory():
    """The module that writes small study folders."""
    return imported(FACTORY)


@pytest.fixture(scope="session")
def release_factory():
    """The module that writes a study with something to keep back."""
    return imported(RELEASE_FACTORY)


@pytest.fixture(scope="session")
def releasable_once(shard_factory, release_factory, tmp_path_factory):
    """A study that may be released, but for two of its subjects. Do not change it."""
    root = tmp_path_factory.mktemp("releasable") / "study"
    return release_factory.make_releasable(shard_factory, root)


@pytest.fixture
def releasable(releasable_once, tmp_path):
    """A copy of `releasable_once` to change."""
    return Study.open(Path(shutil.copytree(releasable_once.root, tmp_path / "study")))


@pytest.fixture
def study(shard_factory, tmp_path):
    """Three sessions of two subjects, 40 frames each; S01-002 has color only."""
    return shard_factory.make_study(tmp_path / "study")


@pytest.fixture(scope="session")
def face_video(tmp_path_factory):
    """A face that moves, with sound: 12 frames of 320x240."""
    from make_videos import make_video
    from skimage import data

    face = data.astronaut()[:240, 90:410]
    pictures = [
        np.ascontiguousarray(np.roll(face, (n // 4, n), (0, 1))) for n in range(FACE_FRAMES)
    ]
    path = tmp_path_factory.mktemp("videos") / "face.mp4"
    return make_video(path, FACE_FRAMES, size=(320, 240), pictures=pictures, tone_seconds=0.3)


@pytest.fixture(scope="session")
def raw_study(tmp_path_factory, face_video):
    """A study nothing was preprocessed in: S01-001 imported, P1-001 simulated. Do not change it."""
    root = tmp_path_factory.mktemp("raw") / "study"
    sizes = ("color=320x240", "depth=320x240", "thermal=160x120")
    rates = ("color=10", "depth=10", "thermal=9")
    record = [
        *("record", str(root), "--subject", "P1", "--rig", "simulated", "--seconds", "1"),
        *("--pace", "fast", "--seed", "3"),
        *(word for size in sizes for word in ("--size", size)),
        *(word for rate in rates for word in ("--rate", rate)),
    ]
    assert run(["init", str(root)]) == 0
    assert run(["import-video", str(face_video), str(root), "--subject", "S01"]) == 0
    assert run(record) == 0
    return Study.open(root)


@pytest.fixture(scope="session")
def made_study(tmp_path_factory, raw_study):
    """`raw_study` and its shards and media. Do not change it."""
    root = tmp_path_factory.mktemp("made") / "study"
    shutil.copytree(raw_study.root, root)
    assert run(["preprocess", str(root)]) == 0
    return Study.open(root)


@pytest.fixture
def raw_copy(raw_study, tmp_path):
    """A copy of `raw_study` to break."""
    return Study.open(Path(shutil.copytree(raw_study.root, tmp_path / "study")))


@pytest.fixture
def made_copy(made_study, tmp_path):
    """A copy of `made_study` to break."""
    return Study.open(Path(shutil.copytree(made_study.root, tmp_path / "study")))
