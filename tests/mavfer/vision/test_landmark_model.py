import importlib.util
import sys
from pathlib import Path

import pytest

from mavfer.errors import CommandError, InvalidFile, MissingExtra, NotFound
from mavfer.files import sha256_of
from mavfer.vision import landmark_model
from mavfer.vision.landmark_model import (
    LANDMARK_MODEL_NAME,
    LANDMARK_MODEL_SHA256,
    find_landmark_model,
)

FIRST_BYTES = {"68": b"\x01\x01\x81\x88", "5": b"\x01\x01\x81\x0a"}


@pytest.fixture
def nothing_installed(monkeypatch, tmp_path):
    monkeypatch.delenv("MAVFER_DLIB_MODELS", raising=False)
    monkeypatch.setattr(landmark_model, "find_spec", lambda _: None)
    monkeypatch.setattr(landmark_model, "_DEBIAN_FOLDER", tmp_path / "usr-share-dlib")


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "models"
    folder.mkdir()
    for kind, name in LANDMARK_MODEL_NAME.items():
        (folder / name).write_bytes(FIRST_BYTES[kind] + b"trees")
    return folder


def test_an_explicit_file_or_folder_comes_first(folder, monkeypatch):
    monkeypatch.setenv("MAVFER_DLIB_MODELS", "/nowhere")

    assert find_landmark_model(folder).path == folder / LANDMARK_MODEL_NAME["68"]
    assert (
        find_landmark_model(folder / LANDMARK_MODEL_NAME["68"]).path
        == folder / LANDMARK_MODEL_NAME["68"]
    )


def test_the_environment_comes_second(folder, monkeypatch):
    monkeypatch.setenv("MAVFER_DLIB_MODELS", str(folder))

    assert find_landmark_model().path == folder / LANDMARK_MODEL_NAME["68"]


def test_the_package_is_found_without_being_imported(monkeypatch):
    monkeypatch.delenv("MAVFER_DLIB_MODELS", raising=False)
    spec = importlib.util.find_spec("face_recognition_models")

    found = find_landmark_model()

    assert found.path == Path(spec.origin).parent / "models" / LANDMARK_MODEL_NAME["68"]
    assert "face_recognition_models" not in sys.modules
    assert "commercial" in found.licence_note


def test_debians_folder_comes_last(nothing_installed):
    folder = landmark_model._DEBIAN_FOLDER
    folder.mkdir()
    (folder / LANDMARK_MODEL_NAME["68"]).write_bytes(FIRST_BYTES["68"])

    assert find_landmark_model().path == folder / LANDMARK_MODEL_NAME["68"]


def test_a_missing_model_names_both_installs(nothing_installed):
    with pytest.raises(MissingExtra, match=r"68-point.*mavfer\[models\].*libdlib-data"):
        find_landmark_model()
    with pytest.raises(MissingExtra, match=r"5-point.*mavfer\[models\]'$"):
        find_landmark_model(kind="5")


def test_a_wrong_place_is_not_silently_replaced(tmp_path):
    with pytest.raises(NotFound, match="no landmark model there"):
        find_landmark_model(tmp_path / "elsewhere.dat")


def test_the_model_with_five_points_is_found_beside_the_other(folder):
    found = find_landmark_model(folder, kind="5")

    assert found.path == folder / LANDMARK_MODEL_NAME["5"]
    assert (found.kind, found.points) == ("5", 5)
    assert "CC0" in found.licence_note
    assert find_landmark_model(folder).points == 68


def test_the_kind_of_a_file_is_told_by_what_is_in_it(folder, tmp_path):
    renamed = (folder / LANDMARK_MODEL_NAME["5"]).rename(tmp_path / "mine.dat")

    assert find_landmark_model(renamed).kind == "5"
    with pytest.raises(CommandError, match="knows 5 points, asked for is the one with 68"):
        find_landmark_model(renamed, kind="68")


@pytest.mark.parametrize("content", [b"", b"\x01\x01", b"<html>not found</html>"])
def test_a_file_that_is_no_model_is_told_at_once(content, tmp_path):
    path = tmp_path / "model.dat"
    path.write_bytes(content)

    with pytest.raises(InvalidFile, match="not a landmark model of dlib"):
        find_landmark_model(path)


@pytest.mark.parametrize("kind", LANDMARK_MODEL_NAME)
def test_the_package_carries_the_files_whose_hashes_are_known(kind):
    found = find_landmark_model(kind=kind)

    assert sha256_of(found.path) == LANDMARK_MODEL_SHA256[kind]
