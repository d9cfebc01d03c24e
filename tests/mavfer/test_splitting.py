import pytest

import mavfer
from mavfer.errors import CommandError, NotFound
from mavfer.splitting import split_study
from mavfer.study.splits import read_split


@pytest.fixture
def five(shard_factory, tmp_path):
    sessions = {f"S0{n}-00{take}": {} for n in range(1, 6) for take in (1, 2)}
    return shard_factory.make_study(tmp_path / "five", sessions, frames=16, height=8, width=8)


def test_subjects_not_sessions_are_divided(five):
    outcome = split_study(five)

    assert {part: len(codes) for part, codes in outcome.folds[0].items()} == {
        "train": 3,
        "val": 1,
        "test": 1,
    }
    assert len(mavfer.load(five.root, split="train", labels=None)) == 6


def test_folds_are_read_back(five):
    split_study(five, name="folds", folds=5)
    outcome = split_study(five, name="one_out", is_leave_one_out=True)

    assert len(read_split(five, "folds").folds) == 5
    assert read_split(five, "one_out").subjects("test", fold=2) == ("S03",)
    assert "fold 2: train S01 S02 S05; val S04; test S03" in str(outcome)


def test_the_same_split_is_not_written_again(five):
    assert split_study(five).is_written
    assert not split_study(five).is_written


def test_too_few_subjects_and_no_shards_are_told(study):
    with pytest.raises(CommandError, match="2 subjects: 1 for test and 1 for val"):
        split_study(study)
    for path in study.shards_folder.iterdir():
        path.unlink()
    with pytest.raises(NotFound, match="Run mavfer preprocess"):
        split_study(study)
