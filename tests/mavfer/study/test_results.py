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
    (run_folder / "log.jsonl").write_text('{"epoch": 1}\n{"epo')
    with pytest.raises(InvalidFile, match=r"log\.jsonl: a line is not JSON"):
        run.log()


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
