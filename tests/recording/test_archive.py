"""Sessions archived and restored, bit for bit, whatever comes between."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import h5py
import numpy as np
import pytest
from counting_rig import CountingRig, counts_of, details_of
from killed_archiver import run_and_kill

from mavfer.check import check_study
from mavfer.errors import AlreadyThere, Busy, DataError, InvalidFile, NotFound
from mavfer.files import locked, sha256_of
from mavfer.study import counts_video
from mavfer.study.fingerprints import fingerprint_of_streams
from mavfer.study.session import Session
from mavfer.study.study import Study
from recording import archive_files
from recording.archive import archive_session, restore_session
from recording.audit import audit_session
from recording.forecast import forecast_take
from recording.recorder import record_take

FRAMES = 12
VIDEOS = ["depth.mkv", "thermal.mkv"]


def _record(study, **options):
    rig = CountingRig(FRAMES, thermal={"details": True, "lost": [4]}, **options)
    return record_take(study, rig, subject="S01").folder


@pytest.fixture
def folder(study):
    return _record(study)


def _names(folder):
    return sorted(path.name for path in folder.iterdir() if path.name != ".lock")


def _hashes(folder):
    return {name: sha256_of(folder / name) for name in _names(folder)}


def _edit(folder, **changes):
    path = folder / "session.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def _require_whole(folder, *, shape=(48, 64)):
    """All that was recorded is there, and an audit says so."""
    session = Session.open(folder)
    for stream in ("depth", "thermal"):
        numbers = session.times(stream)["frame_number"].tolist()
        stored = session.read(stream, 0, FRAMES)

        assert numbers == [n for n in range(FRAMES) if stream == "depth" or n != 4]
        assert np.array_equal(stored, [counts_of(stream, n, shape) for n in numbers])
    said = [details_of(n) for n in range(FRAMES) if n != 4]
    assert np.array_equal(session.details("thermal")[1], said, equal_nan=True)
    assert session.drops["frame_number"].tolist() == [4]
    report = audit_session(folder)
    assert (report.verdict, report.problems) == ("ok", ())
    return session


def test_an_archived_session_gives_every_frame_and_comes_back(folder):
    before = _hashes(folder)
    tables = [Session.open(folder).times("depth"), Session.open(folder).events]
    archived = archive_session(folder)
    session = _require_whole(folder)
    is_archived, between = session.is_archived, _hashes(folder)
    same = [np.array_equal(a, b) for a, b in zip(tables, (session.times("depth"), session.events),
                                                 strict=True)]  # fmt: skip
    restored = restore_session(folder)
    session = _require_whole(folder)

    assert is_archived
    assert all(same)
    assert sorted(between) == sorted([*before, *VIDEOS])
    assert {n: between[n] for n in ("color.mkv", "session.json")} == {
        n: before[n] for n in ("color.mkv", "session.json")
    }
    assert not session.is_archived
    assert _names(folder) == sorted(before)
    assert archived.state == "archived"
    assert archived.streams["depth"].frames == restored.streams["depth"].frames == FRAMES
    assert archived.streams["thermal"].pixels_sha256 == restored.streams["thermal"].pixels_sha256
    assert (archived.bytes_before, archived.bytes_after) == (
        restored.bytes_after,
        restored.bytes_before,
    )


def test_archiving_and_restoring_again_change_nothing(folder):
    assert restore_session(folder).why == "is not archived"
    archive_session(folder)
    before = _hashes(folder)
    again = archive_session(folder)

    assert (again.state, again.why) == ("unchanged", "archived already")
    assert _hashes(folder) == before


def test_a_session_of_color_alone_has_nothing_to_archive(study):
    folder = record_take(study, CountingRig(5, streams=("color",)), subject="S01").folder

    assert archive_session(folder).why == "has no depth or thermal"


def test_frames_of_a_scene_take_less_room(study, monkeypatch):
    rows, columns = np.indices((48, 64))
    monkeypatch.setattr(
        "counting_rig.counts_of", lambda _, n, __: (rows * 9 + columns + n).astype(np.uint16)
    )
    report = archive_session(_record(study))

    assert report.bytes_after < report.bytes_before / 2


def test_a_shard_need_not_be_made_again_for_the_archive(folder):
    path = folder / "streams.h5"
    before = fingerprint_of_streams(path)
    archive_session(folder)
    archived = fingerprint_of_streams(path)
    restore_session(folder)
    restored = fingerprint_of_streams(path)
    archive_session(folder)
    again = fingerprint_of_streams(path)
    with h5py.File(path, "r+") as file:
        file["/depth/times"][3, "host_ns"] += 1

    assert before == archived == restored == again
    assert fingerprint_of_streams(path) != before


@pytest.mark.parametrize(
    ("moment", "is_archived", "left"),
    [
        ("frame 5", False, ["depth.mkv.part"]),
        ("frame 17", False, ["depth.mkv.part"]),
        ("frame 40", False, ["depth.mkv.part", "thermal.mkv.part"]),
        ("rename 1", False, ["depth.mkv.part", "streams.h5.part", "thermal.mkv.part"]),
        ("rename 2", False, ["depth.mkv.part", "streams.h5.part", "thermal.mkv"]),
        ("rename 3", False, ["depth.mkv", "streams.h5.part", "thermal.mkv"]),
    ],
)
def test_a_killed_archiver_leaves_a_whole_session(killed_archivers, moment, is_archived, left):
    folder = killed_archivers[moment]
    recorded = ["color.mkv", "session.json", "streams.h5"]
    found = _names(folder)
    session = _require_whole(folder)  # an audit, which removes what was left

    assert found == sorted([*recorded, *left])
    assert session.is_archived == is_archived
    assert _names(folder) == recorded
    assert archive_session(folder).state == "archived"
    _require_whole(folder)


@pytest.fixture(scope="module")
def killed_archivers(tmp_path_factory):
    study = Study.create(tmp_path_factory.mktemp("killed") / "study")
    moments = ["frame 5", "frame 17", "frame 40", "rename 1", "rename 2", "rename 3"]
    return dict(zip(moments, run_and_kill("archive", _record(study), moments), strict=True))


def test_a_killed_restorer_leaves_a_whole_session(study, folder):
    archive_session(folder)
    moments = ["frame 5", "frame 40", "rename 1", "remove 1", "remove 2"]
    copies = run_and_kill("restore", folder, moments)
    videos = [[name for name in _names(copy) if name in VIDEOS] for copy in copies]
    archived = [_require_whole(copy).is_archived for copy in copies]

    assert archived == [True, True, True, False, False]
    assert videos == [VIDEOS, VIDEOS, VIDEOS, VIDEOS, ["thermal.mkv"]]
    for copy, is_archived in zip(copies, archived, strict=True):
        recorded = ["color.mkv", "session.json", "streams.h5"]
        assert _names(copy) == sorted(recorded + (VIDEOS if is_archived else []))
        assert restore_session(copy).state == ("restored" if is_archived else "unchanged")


def test_frames_that_do_not_read_back_as_written_cost_nothing(folder, monkeypatch):
    before = _hashes(folder)

    def flip(self, counts):
        original(self, counts ^ np.uint16(self._frames == 7))

    original = counts_video.CountsVideoWriter.append
    monkeypatch.setattr(counts_video.CountsVideoWriter, "append", flip)
    with pytest.raises(InvalidFile, match=r"depth\.mkv\.part: frame 7 is not what was recorded"):
        archive_session(folder)

    assert _hashes(folder) == before


def test_a_frame_that_was_read_wrong_is_found_out(folder, monkeypatch):
    before = _hashes(folder)
    asked = []

    def misread(frames, row):
        asked.append(row)
        return original(frames, row) ^ np.uint16(len(asked) == 20)

    original = archive_files.read_frame
    monkeypatch.setattr(archive_files, "read_frame", misread)
    with pytest.raises(InvalidFile, match="depth did not read back as written; the session is as"):
        archive_session(folder)

    assert _hashes(folder) == before


def test_a_torn_frame_is_told_and_nothing_changes(folder):
    with h5py.File(folder / "streams.h5", "r+") as file:
        chunk = file["depth/frames"].id.get_chunk_info(6)
        file["depth/frames"].id.write_direct_chunk((6, 0, 0), b"torn" + bytes(chunk.size - 4))
    _edit(folder, files={})
    before = _hashes(folder)
    with pytest.raises(InvalidFile, match=r"/depth/frames, frame 6 cannot be read"):
        archive_session(folder)

    assert _hashes(folder) == before


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"state": "recording"}, r"S01-001 was interrupted\. Run: mavfer audit"),
        ({"state": "damaged"}, "S01-001 is damaged, so it is left as it is: its take could not be"),
    ],
)
def test_a_session_that_is_not_whole_is_refused(folder, changes, told):
    _edit(folder, **changes)
    before = _hashes(folder)
    with pytest.raises(DataError, match=told):
        archive_session(folder)

    assert _hashes(folder) == before


def test_a_session_whose_files_changed_is_refused(folder):
    (folder / "color.mkv").write_bytes(b"torn")
    with pytest.raises(DataError, match=r"damaged, so it is left as it is: .*color\.mkv"):
        archive_session(folder)
    with pytest.raises(NotFound, match="no session here"):
        archive_session(folder.parent)


@pytest.mark.parametrize("verb", [archive_session, restore_session])
def test_a_session_in_use_is_left_alone(study, folder, verb):
    if verb is restore_session:
        archive_session(folder)
    before = _hashes(folder)
    with locked(folder / ".lock", "test"), pytest.raises(Busy, match="recorded or archived by ano"):
        verb(folder)
    shard = study.shards_folder / ".S01-001.lock"
    with locked(shard, "test"), pytest.raises(Busy, match="S01-001 is preprocessed by another"):
        verb(folder)

    assert _hashes(folder) == before


def test_an_audit_does_not_touch_what_is_being_archived(folder):
    part = folder / "depth.mkv.part"
    part.write_bytes(b"being written")
    with locked(folder / ".lock", "test"):
        assert audit_session(folder).verdict == "ok"

    assert part.is_file()


def test_a_video_that_somebody_put_there_is_neither_removed_nor_written_over(folder):
    video = folder / "thermal.mkv"
    video.write_bytes(b"a video of mine")
    before = _hashes(folder)
    assert audit_session(folder).verdict == "ok"
    with pytest.raises(
        AlreadyThere, match=r"thermal\.mkv: is there already and of no archive\. Move"
    ):
        archive_session(folder)

    assert _hashes(folder) == before


def test_a_rename_that_fails_leaves_nothing(folder, monkeypatch):
    before, original = _hashes(folder), Path.replace

    def stumble(path, target):
        if path.name == "depth.mkv.part":
            raise PermissionError(13, "no")
        return original(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", stumble)
        with pytest.raises(
            DataError, match=r"archiving failed \(Permission denied\); the session is"
        ):
            archive_session(folder)

    assert _hashes(folder) == before
    assert archive_session(folder).state == "archived"


def test_an_audit_keeps_a_video_of_which_streams_h5_lacks_frames(folder):
    video = folder / "depth.mkv"
    video.write_bytes(b"perhaps all that is left")
    with h5py.File(folder / "streams.h5", "r+") as file:
        file["depth/frames"].resize(3, axis=0)

    assert audit_session(folder).verdict == "damaged"
    assert video.is_file()


def test_too_little_room_is_told_before_and_a_full_disk_costs_nothing(small_disk, monkeypatch):
    def resize(megabytes):
        subprocess.run(["mount", "-o", f"remount,size={megabytes}m", small_disk], check=True)

    resize(2)
    study = Study.create(small_disk / "study")
    folder = record_take(
        study,
        CountingRig(FRAMES, thermal={"details": True, "lost": [4]}, shape=(120, 160)),
        subject="S01",
        reserve_bytes=0,
    ).folder
    before = _hashes(folder)
    with pytest.raises(
        DataError, match=r"archiving needs about \d+ MB beside .* and 1 MB are free"
    ):
        archive_session(folder)
    monkeypatch.setattr("recording.archive._KEPT_FREE_BYTES", -(1 << 40))
    with pytest.raises(
        DataError, match=r"archiving failed \(No space left on device\); the session"
    ):
        archive_session(folder)
    assert _hashes(folder) == before

    resize(16)
    archive_session(folder)
    left = shutil.disk_usage(small_disk).free
    (small_disk / "ballast").write_bytes(bytes(left - (400 << 10)))
    archived = _hashes(folder)
    with pytest.raises(DataError, match=r"restoring failed \(.*\); the session is as it was"):
        restore_session(folder)
    assert _hashes(folder) == archived
    resize(32)
    restore_session(folder)
    _require_whole(folder, shape=(120, 160))


def test_a_changed_video_is_damage_and_a_quick_audit_sees_its_size(folder):
    archive_session(folder)
    video = folder / "depth.mkv"
    content = bytearray(video.read_bytes())
    content[-1] ^= 1
    video.write_bytes(content)
    full, quick = audit_session(folder), audit_session(folder, is_quick=True)
    video.write_bytes(content[:-1])
    cut = audit_session(folder, is_quick=True)

    assert (full.verdict, quick.verdict, cut.verdict) == ("damaged", "ok", "damaged")
    assert full.problems[0].startswith("depth.mkv: changed since the take was recorded")
    assert full.files["streams.h5"].state == "as recorded"
    assert "depth: 0 frames for 12 stamps" in cut.problems
    with pytest.raises(DataError, match=r"damaged, so it is left as it is: .*depth"):
        restore_session(folder)


def test_pixels_that_changed_after_restoring_are_damage(folder):
    archive_session(folder)
    restore_session(folder)
    with h5py.File(folder / "streams.h5", "r+") as file:
        frame = file["depth/frames"][5]
        frame[0, 0] ^= 1
        file["depth/frames"][5] = frame

    assert audit_session(folder).problems[0].startswith("streams.h5: changed since the take")


def test_a_check_and_a_forecast_read_archived_sessions(study, monkeypatch):
    monkeypatch.setattr("recording.forecast._LEAST_FRAMES", 2)
    folder = _record(study)
    cameras = [camera.info for camera in CountingRig(5, thermal={"details": True}).cameras]
    before = forecast_take(study, cameras, "h264", reserve_bytes=0)
    archive_session(folder)
    after = forecast_take(study, cameras, "h264", reserve_bytes=0)

    assert [
        finding for finding in check_study(study.root).findings if finding.level == "problem"
    ] == []
    assert after.streams == before.streams
    assert after.streams["depth"].basis == "as in S01-001"
    (folder / "depth.mkv").unlink()
    problems = [finding.text for finding in check_study(study.root).findings]
    assert any("depth: 0 frames, 12 stamps" in text for text in problems)


def test_an_archived_session_is_not_continued(study):
    rig = {"paced": True, "thermal": {"details": True}}
    folder = record_take(study, CountingRig(5, **rig), subject="S01").folder
    _edit(folder, state="recovered")
    archive_session(folder)
    with pytest.raises(DataError, match=r"S01-001 is archived, .* mavfer archive --restore"):
        record_take(study, CountingRig(5, **rig), subject="S01", continues="S01-001")
    restore_session(folder)
    take = record_take(study, CountingRig(5, **rig), subject="S01", continues="S01-001")

    assert take.report.streams["depth"].frames == 10
    assert audit_session(folder).verdict == "recovered"
    assert archive_session(folder).streams["depth"].frames == 10
