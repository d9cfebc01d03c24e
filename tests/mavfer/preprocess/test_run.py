"""Whole runs: what fails, is skipped or killed, and that the data are always the same."""

from __future__ import annotations

import numpy as np
import pytest
from preprocess_trials import assert_same_data, begin, is_group_gone, wait_until

from mavfer.errors import CommandError, NotFound
from mavfer.files import read_json, sha256_of
from mavfer.preprocess import Options, preprocess_study
from mavfer.study.hdf5 import open_hdf5
from mavfer.study.media_writer import media_pts
from mavfer.study.session import Session
from mavfer.study.shard_index import read_index
from mavfer.study.shards import Shard
from mavfer.study.study import Study

LIT, SIM = "S01-001", "P1-001"
SESSIONS = [SIM, LIT]


def products_of(study):
    folders = (study.shards_folder, study.media_folder)
    files = (path for folder in folders for path in folder.iterdir())
    return {path: path.stat().st_mtime_ns for path in files if path.suffix in {".h5", ".mp4"}}


def test_two_at_a_time_give_the_data_of_one_at_a_time(raw_copy, made_study):
    outcome = preprocess_study(raw_copy.root, Options(), jobs=2)

    assert [(r.session, r.state) for r in outcome.results] == [(name, "done") for name in SESSIONS]
    assert outcome.is_good
    assert_same_data(raw_copy, made_study)


def test_a_second_run_skips_everything(made_copy):
    before = products_of(made_copy)
    outcome = preprocess_study(made_copy.root, Options())

    assert [result.state for result in outcome.results] == ["skipped", "skipped"]
    assert outcome.notices == []
    assert products_of(made_copy) == before


@pytest.mark.parametrize("product", ["shard_path", "media_path", "media_table_path"])
def test_a_session_that_lacks_a_product_is_made_again(made_copy, made_study, product):
    getattr(made_copy, product)(LIT).unlink()
    outcome = preprocess_study(made_copy.root, Options())

    assert [result.state for result in outcome.results] == ["skipped", "done"]
    assert_same_data(made_copy, made_study)


def test_another_alignment_makes_everything_again(made_copy):
    outcome = preprocess_study(made_copy.root, Options(alignment="arcface112"))

    assert [result.state for result in outcome.results] == ["done", "done"]
    assert {line["alignment"] for line in read_index(made_copy)} == {"arcface112"}
    assert Shard(made_copy.shard_path(LIT)).read("color", range(1)).shape == (1, 112, 112, 3)


def test_a_session_that_fails_does_not_stop_the_others(raw_copy):
    (raw_copy.session_folder(SIM) / "streams.h5").write_bytes(b"torn")
    outcome = preprocess_study(raw_copy.root, Options(), jobs=2)
    failed, done = outcome.results

    assert (failed.session, failed.state, done.state) == (SIM, "failed", "done")
    assert "streams.h5: cannot be opened as HDF5; it is torn or cut off" in failed.error
    assert not outcome.is_good
    assert f"{SIM}: failed: {failed.error}" in outcome.notices
    assert "1 session preprocessed, 0 up to date, 1 failed" in str(outcome)
    assert [line["session"] for line in read_index(raw_copy)] == [LIT]
    report = (raw_copy.reports_folder / f"{SIM}.error.txt").read_text()
    assert report.startswith("Traceback (most recent call last)")
    assert report.rstrip().endswith(failed.error)


def test_a_depth_frame_that_cannot_be_read_is_named(raw_copy):
    path = Session.open(raw_copy.session_folder(SIM)).streams_path
    with open_hdf5(path) as file:
        frame = file["depth/frames"].id.get_chunk_info(4)
    data = bytearray(path.read_bytes())
    data[frame.byte_offset : frame.byte_offset + frame.size] = bytes(frame.size)
    path.write_bytes(data)
    failed = preprocess_study(raw_copy.root, Options()).results[0]

    assert failed.state == "failed"
    assert f"{path}: /depth/frames, frame 4 cannot be read" in failed.error
    assert not raw_copy.shard_path(SIM).exists()


def test_what_nobody_foresaw_is_written_down_and_forgotten_when_it_is_over(raw_copy):
    raw_copy.media_folder.rmdir()
    raw_copy.media_folder.write_text("a file where a folder should be")
    outcome = preprocess_study(raw_copy.root, Options())
    report = raw_copy.reports_folder / f"{LIT}.error.txt"
    told = report.read_text()

    assert [result.state for result in outcome.results] == ["failed", "failed"]
    assert outcome.results[1].error.startswith("unexpected: FileExistsError")
    assert outcome.results[1].error.endswith(f"see {report}")
    assert told.startswith("Traceback (most recent call last)")
    assert list(raw_copy.shards_folder.glob("*.h5*")) == []
    raw_copy.media_folder.unlink()
    assert preprocess_study(raw_copy.root, Options()).is_good
    assert not report.exists()


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_killed_run_leaves_nothing_half_done_and_the_next_one_completes_it(
    raw_copy, made_study, jobs
):
    process = begin(raw_copy, "-j", jobs)
    wait_until(lambda: list(raw_copy.shards_folder.glob("*.part")), "a shard is begun")
    process.kill()
    process.communicate(timeout=60)
    wait_until(lambda: is_group_gone(process.pid), "the workers end with their parent")

    for path in raw_copy.shards_folder.glob("*.h5"):
        shard = Shard(path)
        shard.verify()
        table = read_json(raw_copy.media_table_path(path.stem))
        assert table["video_sha256"] == sha256_of(raw_copy.media_path(path.stem))
        assert np.abs(np.array(table["pts"]) - media_pts(shard.column("host_ns"))).max() <= 2
    assert preprocess_study(raw_copy.root, Options()).is_good
    assert_same_data(raw_copy, made_study)
    assert [p for p in raw_copy.root.rglob("*") if p.name.endswith(".part")] == []


def test_two_runs_at_once_do_not_disturb_each_other(raw_copy, made_study):
    first, second = begin(raw_copy), begin(raw_copy)
    told = [process.communicate(timeout=120)[1] for process in (first, second)]
    codes = {first.returncode, second.returncode}

    assert codes <= {0, 1}
    for code, text in zip((first.returncode, second.returncode), told, strict=True):
        assert ("is preprocessed by another process" in text) is (code == 1), text
        assert "Traceback" not in text
    assert preprocess_study(raw_copy.root, Options()).is_good
    assert_same_data(raw_copy, made_study)


def test_what_cannot_be_begun_is_refused(tmp_path, raw_study):
    with pytest.raises(NotFound, match="no study here"):
        preprocess_study(tmp_path, Options())
    with pytest.raises(NotFound, match=r"no sessions yet\. Record one, or import a video"):
        preprocess_study(Study.create(tmp_path / "study").root, Options())
    with pytest.raises(CommandError, match="--jobs -1: at least one session at a time"):
        preprocess_study(raw_study.root, Options(), jobs=-1)
