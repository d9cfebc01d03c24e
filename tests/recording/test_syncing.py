"""What was written is put on the disk while a take goes on."""

from __future__ import annotations

import errno
import os
import time

import pytest
from counting_rig import CountingRig

from mavfer.errors import DataError
from mavfer.study.session import Session
from recording import syncing
from recording.audit import audit_session
from recording.recorder import record_take
from recording.syncing import DiskSync


def _wait_until(is_so):
    give_up = time.monotonic() + 10
    while not is_so():
        assert time.monotonic() < give_up
        time.sleep(0.005)


@pytest.fixture
def synced(monkeypatch):
    """Names of the files that were put on the disk, in their order."""
    names = []

    def sync(handle):
        names.append(os.path.basename(os.readlink(f"/proc/self/fd/{handle}")))  # noqa: PTH119,PTH115 (a name of the kernel's)
        os.fdatasync(handle)

    monkeypatch.setattr(syncing, "_put_on_disk", sync)
    return names


def test_files_are_synced_again_and_again_and_once_more_at_the_end(tmp_path, synced):
    paths = [tmp_path / "one", tmp_path / "two"]
    paths[0].touch()
    paths[1].touch()
    sync = DiskSync(paths, period_seconds=0.01)
    _wait_until(lambda: len(synced) >= 6)
    sync.close()
    count = len(synced)
    sync.close()

    assert synced[:4] == ["one", "two", "one", "two"]
    assert len(synced) == count >= 8
    assert count % 2 == 0
    assert sync.failure is None


def test_a_take_syncs_both_its_files(study, synced):
    record_take(study, CountingRig(9), subject="S01")

    assert synced[-2:] == ["color.mkv", "streams.h5"]


def test_a_disk_that_does_not_keep_what_was_written_ends_the_take(study, monkeypatch):
    def fail(_):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(syncing, "_put_on_disk", fail)
    rig = CountingRig(None, paced=True)
    with pytest.raises(DataError, match=r"writing failed .Input/output error.*mavfer audit"):
        record_take(study, rig, subject="S01", seconds=20)

    folder = study.session_folder("S01-001")

    assert Session.open(folder).state == "recording"
    assert audit_session(folder).verdict == "recovered"
