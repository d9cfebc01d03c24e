"""A finished run says what it looked at."""

import numpy as np
import pytest
from toy_study import NARROW

from baselines.config import read_config
from baselines.explain import explain_run
from baselines.train import train_model
from mavfer.errors import CommandError, NotFound

SHARED = [
    s for s in NARROW if s.split("=")[0] in ("size", "frames", "hop", "rate_hz", "batch_size")
]


@pytest.fixture(scope="module")
def run(labelled):
    """A run of a network that attends."""
    config = read_config("two_level", "demo", [*SHARED, "epochs=1", "widths=[4, 4]"])
    return train_model("two_level", labelled.root, config, streams=("depth", "thermal"))[0]


def test_maps_and_pictures_lie_in_the_runs_folder(run):
    told = explain_run(run, frames=3)

    assert (told["side"], told["step"], told["frames"]) == (8, 4, 3)
    assert told["streams"] == ["depth", "thermal"]
    assert set(told["files"]) == {"occlusion.npz", "occlusion.jpg", "attention.jpg"}
    with np.load(run / "occlusion.npz") as kept:
        assert kept["session"].tolist() == ["S05-001"] * 3
        assert kept["frame"].tolist() == [8, 24, 40]
        assert kept["arousal"].shape == kept["valence"].shape == (3, 32, 32)
        assert kept["arousal"].max() > 0
        np.testing.assert_allclose(kept["box"], [0, 0, 48, 48], atol=1e-4)
    for name in ("occlusion.jpg", "attention.jpg"):
        assert (run / name).read_bytes()[:2] == b"\xff\xd8"
    assert not list(run.glob("*.part"))


def test_one_stream_alone_can_be_hidden(run):
    both = _maps(run, streams="depth,thermal")
    alone = _maps(run, streams="thermal")

    assert not np.array_equal(both, alone)


def _maps(run, **options):
    explain_run(run, frames=1, side=16, step=16, **options)
    with np.load(run / "occlusion.npz") as kept:
        return kept["arousal"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"streams": "color"}, "the run does not read color. It reads: depth, thermal"),
        ({"sessions": ["S01-001"]}, r"no evaluated session 'S01-001'. There are: S05-001"),
        ({"side": 99}, "square of 99 pixels"),
    ],
)
def test_what_the_run_does_not_have_is_named(run, options, message):
    with pytest.raises(CommandError, match=message):
        explain_run(run, frames=1, **options)


def test_a_classical_model_has_nothing_to_hide_from(labelled):
    folder, _ = train_model("mean", labelled.root, read_config("mean", None, SHARED))

    with pytest.raises(CommandError, match="explain looks into networks, and mean is none"):
        explain_run(folder)


def test_a_folder_without_a_run_is_named(tmp_path):
    with pytest.raises(NotFound, match="no finished run here"):
        explain_run(tmp_path)
