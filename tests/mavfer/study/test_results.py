import numpy as np
import pytest

from mavfer.errors import InvalidFile, NotFound
from mavfer.study.results import FinishedRun, finished_runs, read_predictions


@pytest.fixture
def run_folder(study):
    folder = study.root / "results" / "sta-20260101-000000-1"
    folder.mkdir(parents=True)
    return folder


def test_a_run_that_did_not_end_is_not_among_the_finished(study, run_folder):
    (run_folder / "log.jsonl").write_text('{"epoch": 1}\n')

    assert finished_runs(study) == []
    with pytest.raises(NotFound, match=r"no finished run here.*Run mavfer train"):
        FinishedRun.open(run_folder)


def test_a_torn_result_is_named(study, run_folder):
    (run_folder / "result.json").write_text('{"format": ')

    with pytest.raises(InvalidFile, match=r"result\.json: not readable as JSON"):
        finished_runs(study)


def test_a_result_against_its_schema_is_named(study, run_folder):
    (run_folder / "result.json").write_text('{"format": "mavfer.result", "version": 1}')

    with pytest.raises(InvalidFile, match=r"result\.json"):
        finished_runs(study)


def test_a_torn_log_and_a_missing_one_are_named(run_folder):
    run = FinishedRun(run_folder, {})

    with pytest.raises(NotFound, match=r"log\.jsonl: is missing"):
        run.log()
    (run_folder / "log.jsonl").write_text('{"epoch": 1, "loss": 2.0, "train": {}}\n{"epo')
    with pytest.raises(InvalidFile, match=r"log\.jsonl, line 2: not JSON"):
        run.log()


@pytest.mark.parametrize("line", ['{"epoch": 1}', "[]", "3"])
def test_a_line_that_tells_of_no_epoch_is_named(run_folder, line):
    (run_folder / "log.jsonl").write_text(line + "\n")

    with pytest.raises(InvalidFile, match=r"log\.jsonl, line 1: tells of no epoch"):
        FinishedRun(run_folder, {}).log()


def test_attention_may_be_absent_but_not_torn(run_folder):
    run = FinishedRun(run_folder, {})

    assert run.attention() == {}
    (run_folder / "attention.npz").write_bytes(b"PK\x03\x04 cut")
    with pytest.raises(InvalidFile, match=r"attention\.npz: not readable"):
        run.attention()


def test_predictions_against_their_schema_are_named(run_folder):
    path = run_folder / "predictions.csv"
    path.write_text("session,frame\nS01-001,0\n")

    with pytest.raises(InvalidFile, match=r"predictions\.csv"):
        read_predictions(path)


def test_attention_that_does_not_say_where_it_is_from_is_named(run_folder):
    np.savez(run_folder / "attention.npz", session=["S01-001"], box=[0, 0, 8, 8])

    with pytest.raises(InvalidFile, match=r"attention\.npz: holds no array 'frame'"):
        FinishedRun(run_folder, {}).attention()


def test_attention_damaged_within_is_named(run_folder):
    path = run_folder / "attention.npz"
    values = np.random.default_rng(0).normal(size=4000)
    np.savez_compressed(path, session=["S01-001"], frame=[0], box=[0, 0, 8, 8], color=values)
    content = bytearray(path.read_bytes())
    content[8000:8200] = bytes(200)
    path.write_bytes(content)

    with pytest.raises(InvalidFile, match=r"attention\.npz: not readable"):
        FinishedRun(run_folder, {}).attention()


def test_predictions_come_as_arrays_with_nan_where_nothing_was_given(run_folder):
    path = run_folder / "predictions.csv"
    path.write_text(
        "session,frame,time_seconds,arousal,arousal_label,valence,valence_label\n"
        "S01-001,0,0.0,0.25,,,0.5\nS01-001,1,0.1,-0.5,1,,\n"
    )

    columns = read_predictions(path)

    assert columns["session"].tolist() == ["S01-001", "S01-001"]
    assert columns["frame"].dtype == np.int64
    np.testing.assert_array_equal(columns["arousal"], [0.25, -0.5])
    np.testing.assert_array_equal(columns["arousal_label"], [np.nan, 1])
    np.testing.assert_array_equal(columns["valence"], [np.nan, np.nan])
