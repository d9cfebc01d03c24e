import pytest
from hypothesis import given
from hypothesis import strategies as st

from mavfer.errors import AlreadyThere, CommandError, InvalidFile, NotFound
from mavfer.study.splits import (
    fold_subjects,
    leave_one_subject_out,
    part_subjects,
    read_split,
    require_no_leak,
    split_names,
    split_path,
    write_split,
)


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
    with pytest.raises(NotFound, match=r"There are: default\. Run mavfer split"):
        read_split(study, "other")
    with pytest.raises(NotFound, match=r"no part 'test'. It has train"):
        read_split(study).subjects("test")
    with pytest.raises(CommandError, match=r"no fold 3. It has folds 0 to 0"):
        read_split(study).subjects("train", fold=3)
    with pytest.raises(CommandError, match="not a split name"):
        read_split(study, "../x")


CODES = st.sets(st.text("ABCabc123_", min_size=1, max_size=8), min_size=3, max_size=30)


def everybody(fold):
    return sorted(code for codes in fold.values() for code in codes)


@given(CODES, st.integers(0, 99))
def test_every_subject_stands_in_one_part(codes, seed):
    (fold,) = part_subjects([*codes, *codes], seed=seed)

    assert everybody(fold) == sorted(codes)
    assert fold == part_subjects(sorted(codes), seed=seed)[0]
    assert min(map(len, fold.values())) >= 1


@given(CODES, st.data())
def test_every_subject_is_tested_in_one_fold(codes, data):
    folds = data.draw(st.integers(2, len(codes)))
    for made in (fold_subjects(sorted(codes), folds), leave_one_subject_out(sorted(codes))):
        tested = sorted(code for fold in made for code in fold["test"])

        assert tested == sorted(codes)
        assert all(everybody(fold) == sorted(codes) for fold in made)
        assert all(fold["train"] for fold in made)


def test_shares_are_kept_and_the_seed_decides():
    codes = [f"S{number:02d}" for number in range(20)]
    fold = part_subjects(codes, test=0.3, val=0, seed=1)[0]

    assert {part: len(found) for part, found in fold.items()} == {"train": 14, "test": 6}
    assert fold != part_subjects(codes, test=0.3, val=0, seed=2)[0]


def test_a_split_is_written_once_and_over_only_when_asked(study):
    folds = part_subjects(["S01", "S02", "S03"])

    assert write_split(study, "default", folds, kind="parts")
    assert not write_split(study, "default", folds, kind="parts")
    assert read_split(study).folds == tuple(folds)
    with pytest.raises(AlreadyThere, match="another split of this name"):
        write_split(study, "default", folds, kind="parts", seed=1)
    assert write_split(study, "default", folds, kind="parts", seed=1, replace=True)


def test_a_leaking_split_is_not_written(study):
    with pytest.raises(InvalidFile, match="subject S01 stands in train and in test"):
        write_split(study, "bad", [{"train": ("S01",), "test": ("S01",)}], kind="parts")
    assert split_names(study) == []


def test_too_few_subjects_and_impossible_shares_are_told():
    with pytest.raises(CommandError, match="leave nobody to train on"):
        part_subjects(["S01", "S02"])
    with pytest.raises(CommandError, match=r"--test 0.6 --val 0.5"):
        part_subjects(["S01", "S02", "S03"], test=0.6, val=0.5)
    with pytest.raises(CommandError, match="give 2 to 3"):
        fold_subjects(["S01", "S02", "S03"], 4)
    with pytest.raises(CommandError, match="1 subject: leaving one out"):
        leave_one_subject_out(["S01"])


def test_replacing_a_split_by_itself_leaves_the_file_as_it_is(study):
    folds = [{"train": ("A", "B"), "test": ("C",)}]
    write_split(study, "default", folds, kind="parts")
    before = split_path(study, "default").stat().st_mtime_ns

    assert not write_split(study, "default", folds, kind="parts", replace=True)
    assert split_path(study, "default").stat().st_mtime_ns == before


def test_a_torn_split_can_be_replaced(study):
    split_path(study, "default").parent.mkdir(exist_ok=True)
    split_path(study, "default").write_text('{"format": ')
    folds = [{"train": ("A", "B"), "test": ("C",)}]

    with pytest.raises(InvalidFile, match="not readable as JSON"):
        write_split(study, "default", folds, kind="parts")
    assert write_split(study, "default", folds, kind="parts", replace=True)
