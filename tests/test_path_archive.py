"""An archived study: nothing is made anew, and what is made anew is the same."""

import shutil

import numpy as np
from journey import BRIGHT, DARK

import mavfer
from mavfer.cli import run
from mavfer.study.session import Session
from mavfer.study.study import Study


def test_an_archived_study_makes_the_same_shards(journey, tmp_path, capsys):
    root = shutil.copytree(journey.root, tmp_path / "study")
    study = Study.open(root)
    assert run(["archive", str(root)]) == 0
    assert run(["preprocess", str(root)]) == 0
    nothing_made = "0 sessions preprocessed, 2 up to date" in capsys.readouterr().out
    study.shard_path(DARK).unlink()
    assert run(["preprocess", str(root)]) == 0
    before, after = journey.dataset[DARK], mavfer.load(root, labels=None)[DARK]

    assert nothing_made
    assert all(Session.open(study.session_folder(name)).is_archived for name in (BRIGHT, DARK))
    for stream in ("color", "depth", "thermal"):
        assert np.array_equal(getattr(after, stream)[:], getattr(before, stream)[:])
    assert np.array_equal(after.column("valid"), before.column("valid"))
    assert after.carried.any()
    assert run(["check", str(root)]) == 0
