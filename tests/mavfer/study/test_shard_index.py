import json
import os
import shutil

import pytest

from mavfer.errors import InvalidFile, NotFound
from mavfer.files import read_jsonl, sha256_of
from mavfer.schema import require_valid
from mavfer.study import shard_index
from mavfer.study.shard_index import read_index, rebuild_index
from mavfer.study.study import Study


def sessions(lines):
    return [line["session"] for line in lines]


def forbid_describing(monkeypatch):
    """From here on no shard may be opened."""

    def refuse(path, known=None):
        raise AssertionError(path)

    monkeypatch.setattr(shard_index, "describe_shard", refuse)


def test_the_index_says_what_the_shards_say(study):
    lines = read_index(study)

    for line in lines:
        require_valid(line, "shard-index", study.index_path)
        assert line["sha256"] == sha256_of(study.shards_folder / line["file"])
    assert sessions(lines) == ["S01-001", "S01-002", "S02-001"]
    assert lines[0]["frames"] == lines[0]["valid_frames"] == 40
    assert lines[0]["rate_hz"] == pytest.approx(30)
    assert lines[0]["seconds"] == pytest.approx(39 / 30)
    assert list(lines[1]["streams"]) == ["color"]
    assert read_jsonl(study.index_path) == lines


def test_a_fresh_index_is_believed_without_opening_a_shard(study, monkeypatch):
    expected = read_index(study)
    forbid_describing(monkeypatch)

    assert read_index(study) == expected


def test_a_changed_and_a_new_shard_are_described_anew(study, shard_factory):
    before = read_index(study)
    changed, new = study.shard_path("S02-001"), study.shard_path("S03-001")
    shard_factory.write_shard(changed, shard_factory.faces(12))
    shard_factory.write_shard(new, shard_factory.faces(9))
    after = read_index(study)

    assert [line["frames"] for line in after] == [40, 40, 12, 9]
    assert after[:2] == before[:2]
    assert after[2]["sha256"] == sha256_of(changed)
    assert read_jsonl(study.index_path) == after


def test_a_copied_study_keeps_its_hashes_without_reading_pixels(study, tmp_path, monkeypatch):
    before = read_index(study)
    shutil.copytree(study.root, tmp_path / "copy", copy_function=shutil.copy)
    copy = Study.open(tmp_path / "copy")
    for path in copy.shards_folder.glob("*.h5"):
        os.utime(path, ns=(1, 1))
    monkeypatch.setattr(shard_index, "sha256_of", lambda path: pytest.fail(f"hashed {path}"))
    after = read_index(copy)

    assert [line["sha256"] for line in after] == [line["sha256"] for line in before]
    assert {line["mtime_ns"] for line in after} == {1}


@pytest.mark.parametrize("damage", ["{not json", '{"format": "else"}', ""])
def test_a_torn_index_is_made_again(study, damage):
    expected = read_index(study)
    study.index_path.write_text(damage, encoding="utf-8")

    assert read_index(study) == expected
    assert read_jsonl(study.index_path) == expected


def test_a_listed_but_missing_shard_is_told(study):
    read_index(study)
    study.shard_path("S01-002").unlink()

    with pytest.raises(NotFound, match=r"S01-002\.h5: listed in index\.jsonl but missing"):
        read_index(study)
    assert sessions(rebuild_index(study)) == ["S01-001", "S02-001"]
    assert sessions(read_index(study)) == ["S01-001", "S02-001"]


def test_unfinished_shards_and_other_files_are_never_listed(study):
    for name in ("S09-001.h5.part", "notes.h5", ".S08-001.h5"):
        shutil.copy(study.shard_path("S01-001"), study.shards_folder / name)

    assert sessions(read_index(study)) == ["S01-001", "S01-002", "S02-001"]


def test_a_torn_shard_is_named(study):
    path = study.shard_path("S02-001")
    path.write_bytes(path.read_bytes()[:5000])

    with pytest.raises(InvalidFile, match=r"S02-001\.h5: cannot be opened as HDF5"):
        read_index(study)


def test_a_shard_under_another_sessions_name_is_refused(study):
    shutil.copy(study.shard_path("S01-001"), study.shard_path("S07-001"))

    with pytest.raises(InvalidFile, match=r"S07-001\.h5: holds session S01-001"):
        read_index(study)


def test_an_index_that_cannot_be_written_is_made_in_memory(study):
    study.index_path.mkdir()

    assert sessions(read_index(study)) == ["S01-001", "S01-002", "S02-001"]
    assert study.index_path.is_dir()


def test_an_unchecked_index_is_believed_as_it_stands(study):
    line = read_index(study)[0]
    study.index_path.write_text(json.dumps(line | {"size": 1}) + "\n", encoding="utf-8")

    assert sessions(read_index(study, is_checked=False)) == ["S01-001"]
