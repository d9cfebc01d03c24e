"""Who goes into a release, who stays out and why, and what is refused."""

import json

import pytest

from mavfer.errors import CommandError, DataError, InvalidFile, NotFound
from mavfer.files import write_csv
from mavfer.release.contents import LeftOut
from mavfer.release.plan import Options, plan_release
from mavfer.study.study import Study


def changed(study, **about):
    """The study with other content of study.json."""
    path = study.root / "study.json"
    path.write_text(json.dumps(study.document | about), encoding="utf-8")
    return Study.open(study.root)


def sessions(plan):
    return [line["session"] for line in plan.lines]


def test_sessions_go_in_by_the_scope_of_their_consent(releasable, release_factory):
    secret, silent = release_factory.SECRET, release_factory.SILENT
    plan = plan_release(releasable, Options())

    assert sessions(plan) == ["S01-001", "S02-001"]
    assert plan.subjects == ["S01", "S02"]
    assert [(each.session, each.reason) for each in plan.kept_back] == [
        (f"{secret}-001", "no consent to share"),
        (f"{secret}-002", "no consent to share"),
        (f"{silent}-001", "no consent record"),
    ]
    assert plan.left_out() == (
        LeftOut("no consent record", subjects=1, sessions=1),
        LeftOut("no consent to share", subjects=1, sessions=2),
    )


def test_simulated_sessions_need_no_consent(study):
    plan = plan_release(changed(study, licence="CC0-1.0"), Options())

    assert sessions(plan) == ["S01-001", "S01-002", "S02-001"]
    assert plan.kept_back == ()


def test_a_session_without_a_shard_is_counted_as_left_out(releasable):
    (releasable.sessions_folder / "S01-007").mkdir()

    left_out = plan_release(releasable, Options()).left_out()
    assert LeftOut("not preprocessed", subjects=1, sessions=1) in left_out


def test_the_user_is_told_who_stays_out_and_what_is_thin(releasable, release_factory):
    columns = releasable.participants()
    rows = len(columns["subject"])
    write_csv(releasable.participants_path, {**columns, "age": [30] * rows, "hand": ["r"] * rows})
    secret, silent = release_factory.SECRET, release_factory.SILENT

    assert plan_release(releasable, Options()).notices == (
        f"{secret} stays out (no consent to share): {secret}-001, {secret}-002",
        f"{silent} stays out (no consent record): {silent}-001",
        "label mean: 1 of 2 released sessions have it",
        "participants.csv goes in with age, hand: see that nobody is named there",
        "split default, fold 0: nobody is left in val",
    )


def test_splits_keep_released_subjects_alone_and_all_of_their_parts(releasable):
    splits = plan_release(releasable, Options()).splits

    assert splits["default"]["folds"] == [{"train": ["S01"], "val": [], "test": ["S02"]}]


def test_all_labels_go_in_or_those_asked_for(releasable, shard_factory, release_factory):
    kept_back = f"{release_factory.SECRET}-001"
    shard_factory.write_label(releasable, kept_back, release_factory.FRAMES, name="theirs")

    assert plan_release(releasable, Options()).labels == ("gold", "mean")
    assert plan_release(releasable, Options(labels=("mean",))).labels == ("mean",)
    with pytest.raises(NotFound, match=r"no label 'silver'\. There are: gold, mean, theirs"):
        plan_release(releasable, Options(labels=("silver",)))


def test_ratings_of_released_sessions_go_in_where_asked_for(releasable):
    names = [
        path.parent.name for path in plan_release(releasable, Options(has_ratings=True)).ratings
    ]

    assert names == ["S01-001", "S02-001"]
    assert plan_release(releasable, Options()).ratings == ()


@pytest.mark.parametrize("licence", [None, "", "  "])
def test_no_licence_no_release(releasable, licence):
    with pytest.raises(DataError, match=r'study\.json: no licence.*"licence": "CC-BY-NC-4\.0"'):
        plan_release(changed(releasable, licence=licence), Options())


def test_data_that_were_to_be_deleted_are_not_released(releasable):
    with pytest.raises(DataError, match="to be deleted after 2020-01-31, they cannot be released"):
        plan_release(changed(releasable, retention_until="2020-01-31"), Options())


def test_where_nobody_agreed_nothing_is_released(releasable):
    releasable.consent_path("S01").unlink()
    releasable.shard_path("S02-001").unlink()
    releasable.index_path.unlink(missing_ok=True)

    with pytest.raises(DataError, match=r"nobody's consent record covers.*--scope share"):
        plan_release(releasable, Options())


def test_a_study_without_shards_is_told_what_to_run(tmp_path):
    study = Study.create(tmp_path / "empty", licence="CC0-1.0")

    with pytest.raises(NotFound, match=r"no shards yet\. Run mavfer preprocess"):
        plan_release(study, Options())


def test_another_subjects_consent_counts_for_nobody(releasable, release_factory):
    record = releasable.consent_path(release_factory.SECRET)
    record.write_text(releasable.consent_path("S01").read_text())

    with pytest.raises(InvalidFile, match=r"is the consent of subject S01\. Rename it"):
        plan_release(releasable, Options())


def test_a_subject_in_two_parts_of_a_fold_is_refused(releasable, shard_factory):
    folds = [{"train": ["S01"], "test": ["S02"]}, {"train": ["S01", "S02"], "test": ["S02"]}]
    shard_factory.write_split(releasable, folds, name="leaking")

    message = r"leaking\.json, fold 1: subject S02 stands in train and in test"
    with pytest.raises(InvalidFile, match=message):
        plan_release(releasable, Options())


def test_a_split_of_unknown_subjects_is_refused(releasable, shard_factory):
    shard_factory.write_split(releasable, [{"train": ["S01"], "test": ["S77"]}], name="odd")

    with pytest.raises(InvalidFile, match=r"odd\.json: subjects that are not in participants.*S77"):
        plan_release(releasable, Options())


def test_a_released_subject_must_be_a_participant(releasable, release_factory):
    write_csv(releasable.participants_path, {"subject": ["S01", release_factory.SECRET]})
    (releasable.splits_folder / "default.json").unlink()

    with pytest.raises(InvalidFile, match=r"subject S02 of session S02-001 is missing\."):
        plan_release(releasable, Options())


@pytest.mark.parametrize("version", ["", "1 0", "-1", "1/2", "a" * 33])
def test_a_version_must_be_one_word(releasable, version):
    with pytest.raises(CommandError, match="--release-version"):
        plan_release(releasable, Options(version=version))
