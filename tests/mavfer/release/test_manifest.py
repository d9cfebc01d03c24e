"""The manifest names every file that is missing, changed or too many."""

import json
import shutil
from pathlib import Path

import pytest

from mavfer.cli import run
from mavfer.errors import InvalidFile, NotFound, WrongVersion
from mavfer.release.manifest import find_differences, read_manifest
from mavfer.release.plan import Options
from mavfer.release.run import release_study


@pytest.fixture(scope="module")
def sealed(releasable_once, tmp_path_factory):
    """A release with plain copies. Do not change it."""
    root = tmp_path_factory.mktemp("sealed") / "release"
    release_study(releasable_once.root, root, Options(is_plain=True))
    return root


@pytest.fixture
def release(sealed, tmp_path):
    """A copy of a release, made writable so that it can be broken."""
    root = Path(shutil.copytree(sealed, tmp_path / "release"))
    for path in (root, *root.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    return root


def differences(release):
    return [text.removeprefix(f"{release}/") for text in find_differences(release)]


def change_a_byte(path, place=-1):
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)


def test_a_whole_release_has_no_differences(release):
    assert differences(release) == []
    assert [entry["path"] for entry in read_manifest(release)["files"]] == sorted(
        path.relative_to(release).as_posix()
        for path in release.rglob("*")
        if path.is_file() and path.name != "release.json"
    )


def test_files_that_are_missing_changed_or_more_are_named(release):
    change_a_byte(release / "DATASHEET.md")
    (release / "participants.csv").unlink()
    (release / "shards" / "S03-001.h5").write_text("no shard")
    (release / ".DS_Store").touch()

    assert differences(release) == [
        "DATASHEET.md: changed since the release was made. Restore it from a copy",
        "participants.csv: in the manifest but missing. Restore it from a copy",
        "shards/S03-001.h5: not in the manifest. Take it out of the release",
    ]


def test_check_tells_a_shard_of_the_same_size_whose_bytes_changed(release, capsys):
    change_a_byte(release / "shards" / "S01-001.h5", place=5000)

    assert run(["check", str(release)]) == 1
    assert "S01-001.h5: changed since the release was made" in capsys.readouterr().out


def test_check_tells_plain_copies_and_participants_that_do_not_fit(release, capsys):
    (release / "plain" / "S01-001.h5").unlink()
    (release / "participants.csv").write_text("subject\nS02\n")

    assert run(["check", str(release)]) == 1
    told = capsys.readouterr().out
    assert "plain/S01-001.h5: in the manifest but missing" in told
    assert "plain/S01-001.h5: no such file" in told
    assert "S01-001.h5: its subject is not in participants.csv" in told
    assert "split default: subjects that are not in participants.csv: S01" in told


def test_a_manifest_that_cannot_be_read_is_told(release):
    path = release / "release.json"
    document = json.loads(path.read_text())

    path.write_text(json.dumps(document | {"version": 2}))
    with pytest.raises(WrongVersion, match="release version 2, this mavfer reads version 1"):
        read_manifest(release)
    path.write_text(json.dumps(document | {"files": []}))
    with pytest.raises(InvalidFile, match="not a valid release file"):
        read_manifest(release)
    path.unlink()
    with pytest.raises(NotFound, match=r"release\.json: no such file"):
        list(find_differences(release))
