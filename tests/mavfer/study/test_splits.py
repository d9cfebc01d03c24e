import pytest

from mavfer.errors import CommandError, InvalidFile, NotFound
from mavfer.study.splits import read_split, require_no_leak, split_names


def test_a_split_gives_the_subjects_of_a_part(study, shard_factory):
    folds = [{"train": ["S01"], "test": ["S02"]}, {"train": ["S02"], "test": ["S01"]}]
    shard_factory.write_split(study, folds)
    split = read_split(study)

    assert split.subjects("train") == ("S01",)
    assert split.subjects("test", fold=1) == ("S01",)
    assert split_names(study) == ["default"]


def test_a_subject_in_two_parts_is_refused(study, shard_factory):
    shard_factory.write_split(study, [{"train": ["S01", "S02"], "test": ["S02"]}])

    with pytest.raises(InvalidFile, match="fold 0: subject S02 stands in train and in test"):
        read_split(study)


def test_parts_without_a_common_subject_pass():
    require_no_leak({"train": ["S01"], "test": ["S02"], "val": []}, "here")


def test_what_is_not_there_is_told(study, shard_factory):
    with pytest.raises(NotFound, match=r"no split of this name. Run mavfer split"):
        read_split(study)
    shard_factory.write_split(study, [{"train": ["S01"]}])
    with pytest.raises(NotFound, match="There are: default"):
        read_split(study, "other")
    with pytest.raises(NotFound, match=r"no part 'test'. It has train"):
        read_split(study).subjects("test")
    with pytest.raises(CommandError, match=r"no fold 3. It has folds 0 to 0"):
        read_split(study).subjects("train", fold=3)
    with pytest.raises(CommandError, match="not a split name"):
        read_split(study, "../x")
