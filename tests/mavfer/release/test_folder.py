"""A folder appears whole and sealed, or not at all."""

import shutil
import signal
import stat
import subprocess
import sys

import pytest

from mavfer.errors import AlreadyThere, Busy, CommandError, DataError
from mavfer.release.folder import (
    remove_folder,
    require_apart,
    require_space,
    unfinished_folder,
    visible_files,
)

KILLED = """
import os, signal, sys
from pathlib import Path
from mavfer.release.folder import unfinished_folder
with unfinished_folder(Path(sys.argv[1])) as part:
    (part / "half").write_text("of it")
    (part / "below").mkdir()
    for path in (part / "half", part / "below"):
        path.chmod(0o555)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def fill(part):
    (part / "below").mkdir()
    (part / "below" / "table.csv").write_text("a\n")
    (part / "page.md").write_text("b\n")


def fail(target, error):
    with unfinished_folder(target) as part:
        fill(part)
        raise error


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no rights of owner and group")
def test_the_folder_takes_its_name_when_whole_and_is_read_only(tmp_path):
    target = tmp_path / "new" / "release"
    with unfinished_folder(target) as part:
        fill(part)

        assert not target.exists()
    assert visible_files(target) == ["below/table.csv", "page.md"]
    assert [path.name for path in target.parent.iterdir()] == ["release"]
    assert sorted(path.name for path in target.iterdir()) == ["below", "page.md"]
    assert (mode(target), mode(target / "below"), mode(target / "page.md")) == (0o555, 0o555, 0o444)
    assert mode(target / "below" / "table.csv") == 0o444


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_an_error_leaves_nothing(tmp_path, error):
    with pytest.raises(error, match="stop"):
        fail(tmp_path / "release", error("stop"))

    assert list(tmp_path.iterdir()) == []


def test_an_error_of_the_disk_is_told_in_one_line(tmp_path):
    message = r"release: cannot be made \(No space left on device\); nothing is left behind"
    with pytest.raises(DataError, match=message):
        fail(tmp_path / "release", OSError(28, "No space left on device"))

    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot be killed so")
def test_what_a_killed_run_left_is_cleared_away(tmp_path):
    target = tmp_path / "release"
    done = subprocess.run([sys.executable, "-c", KILLED, str(target)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert (tmp_path / "release.part" / "half").exists()

    with unfinished_folder(target) as part:
        fill(part)

    assert visible_files(target) == ["below/table.csv", "page.md"]
    assert [path.name for path in tmp_path.iterdir()] == ["release"]


def test_somebody_elses_folder_is_never_cleared_away(tmp_path):
    theirs = tmp_path / "release.part"
    theirs.mkdir()
    (theirs / "thesis.txt").write_text("years")

    message = r"release\.part: is in the way and was not left by a killed run"
    with pytest.raises(AlreadyThere, match=message), unfinished_folder(tmp_path / "release"):
        pytest.fail("the block must not run")
    assert (theirs / "thesis.txt").read_text() == "years"


def test_two_processes_do_not_make_the_same_release(tmp_path):
    target = tmp_path / "release"
    with unfinished_folder(target) as part:
        fill(part)
        with (
            pytest.raises(Busy, match="release is being made by another process"),
            unfinished_folder(target),
        ):
            pytest.fail("the block must not run")

    assert visible_files(target) == ["below/table.csv", "page.md"]


def test_a_name_taken_in_the_meantime_is_left_alone(tmp_path):
    target = tmp_path / "release"
    target.mkdir()

    with pytest.raises(AlreadyThere, match="made by another process"), unfinished_folder(target):
        pytest.fail("the block must not run")
    assert list(target.iterdir()) == []


def test_study_and_release_must_lie_apart(tmp_path):
    study = tmp_path / "a" / "study"
    study.mkdir(parents=True)
    (tmp_path / "link").symlink_to(study)

    require_apart(study, tmp_path / "a" / "study-1.0")
    for inside in (study / "release", tmp_path / "link" / "release", study / ".." / "study" / "x"):
        with pytest.raises(CommandError, match="lie within each other"):
            require_apart(study, inside)
    with pytest.raises(AlreadyThere, match="exists, and a release is never changed"):
        require_apart(study, tmp_path / "a")


def test_the_room_that_is_there_is_compared_with_what_is_needed(tmp_path):
    free = shutil.disk_usage(tmp_path).free

    require_space(tmp_path / "new" / "release", 1)
    with pytest.raises(DataError, match=r"release: takes up to [\d,]+ MiB, only [\d,]+ MiB are"):
        require_space(tmp_path / "new" / "release", 2 * free + (1 << 30))


def test_hidden_files_do_not_count(tmp_path):
    for name in (".DS_Store", "seen.txt"):
        (tmp_path / name).touch()
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").touch()

    assert visible_files(tmp_path) == ["seen.txt"]


def test_a_sealed_folder_can_be_deleted(tmp_path):
    with unfinished_folder(tmp_path / "release") as part:
        fill(part)
    remove_folder(tmp_path / "release")

    assert list(tmp_path.iterdir()) == []
