import cv2
import pytest

import mavfer
from mavfer.errors import NotFound
from mavfer.report import write_contact_sheet
from mavfer.report.sheets import session_rows

TILE, GAP, NAMES = 112, 4, 92
BLOCK = NAMES + 5 * (TILE + GAP)
GROUND = (249, 247, 245)


def sheet_of(root, tmp_path):
    path = tmp_path / "sheet.png"
    write_contact_sheet(root, path)
    return cv2.imread(str(path))


def test_sessions_stand_side_by_side(shard_factory, tmp_path):
    sessions = {f"S{n:02}-001": {"frames": 6} for n in range(6)}
    study = shard_factory.make_study(tmp_path / "study", sessions)
    height, width, _ = sheet_of(study.root, tmp_path).shape

    assert width == 2 * (BLOCK + 24) + 24
    assert 3 * 3 * (TILE + GAP) < height < 4 * 3 * (TILE + GAP)


def test_pictures_keep_their_shape_and_their_place(shard_factory, tmp_path):
    study = shard_factory.make_study(tmp_path / "study", {f"S0{n}-001": {} for n in range(1, 4)})
    sheet = sheet_of(study.root, tmp_path)
    wide = round(TILE * 20 / 24)
    left = 24 + NAMES + (TILE - wide) // 2
    top = 12 + 30 + 24

    assert (sheet[top + 10, left - 4 : left - 1] == 255).all()
    assert (sheet[top + 10, left + 2 : left + wide - 2].std(axis=0) > 2).all()
    assert (sheet[top + TILE, left : left + wide] == 255).all()


def test_a_stream_that_a_session_lacks_is_a_gray_line(study, tmp_path):
    sheet = sheet_of(study.root, tmp_path)
    right = sheet[:, -60]  # S01-002, beside S01-001

    assert (right == GROUND).all(axis=1).sum() == 2 * 16
    assert list(session_rows(mavfer.load(study.root)["S01-002"])) == ["color"]


def test_many_sessions_are_shown_smaller(shard_factory, tmp_path):
    sessions = {f"S{n:02}-001": {"frames": 5, "height": 8, "width": 8} for n in range(25)}
    study = shard_factory.make_study(tmp_path / "study", sessions)
    height, width, _ = sheet_of(study.root, tmp_path).shape

    assert (width - 24) % (NAMES + 5 * (84 + GAP) + 24) == 0
    assert 0.7 < width / height < 2


def test_stills_are_numbered_and_names_of_any_letters_are_written(shard_factory, tmp_path):
    study = shard_factory.make_study(
        tmp_path / "study", {"S01-001": {"kind": "stills", "frames": 3}}, name="Gefühle ☺"
    )
    sheet = sheet_of(study.root, tmp_path)
    headline = sheet[12:42, 24:]

    assert sheet.shape[1] == NAMES + 8 * (TILE + GAP) + 48
    assert headline.min() < 100


def test_a_study_without_shards_has_no_sheet(study, tmp_path):
    for path in study.shards_folder.glob("*"):
        path.unlink()

    with pytest.raises(NotFound, match="no shards yet"):
        sheet_of(study.root, tmp_path)
    assert not (tmp_path / "sheet.png").exists()
