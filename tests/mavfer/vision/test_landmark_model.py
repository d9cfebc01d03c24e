import importlib.util
import sys
from pathlib import Path

import pytest

from mavfer.errors import MissingExtra, NotFound
from mavfer.vision import landmark_model
from mavfer.vision.landmark_model import LANDMARK_MODEL_NAME, find_landmark_model


@pytest.fixture
def nothing_installed(monkeypatch, tmp_path):
    monkeypatch.delenv("MAVFER_DLIB_MODELS", raising=False)
    monkeypatch.setattr(landmark_model, "find_spec", lambda _: None)
    monkeypatch.setattr(landmark_model, "_DEBIAN_FOLDER", tmp_path / "usr-share-dlib")


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / LANDMARK_MODEL_NAME).write_bytes(b"model")
    return folder


def test_an_explicit_file_or_folder_comes_first(folder, monkeypatch):
    monkeypatch.setenv("MAVFER_DLIB_MODELS", "/nowhere")

    assert find_landmark_model(folder).path == folder / LANDMARK_MODEL_NAME
    assert find_landmark_model(folder / LANDMARK_MODEL_NAME).path == folder / LANDMARK_MODEL_NAME


def test_the_environment_comes_second(folder, monkeypatch):
    monkeypatch.setenv("MAVFER_DLIB_MODELS", str(folder))

    assert find_landmark_model().path == folder / LANDMARK_MODEL_NAME


def test_the_package_is_found_without_being_imported(monkeypatch):
    monkeypatch.delenv("MAVFER_DLIB_MODELS", raising=False)
    spec = importlib.util.find_spec("face_recognition_models")

    found = find_landmark_model()

    assert found.path == Path(spec.origin).parent / "models" / LANDMARK_MODEL_NAME
    assert "face_recognition_models" not in sys.modules
    assert "commercial" in found.licence_note


def test_debians_folder_comes_last(nothing_installed):
    folder = landmark_model._DEBIAN_FOLDER
    folder.mkdir()
    (folder / LANDMARK_MODEL_NAME).write_bytes(b"model")

    assert find_landmark_model().path == folder / LANDMARK_MODEL_NAME


def test_a_missing_model_names_both_installs(nothing_installed):
    with pytest.raises(MissingExtra, match=r"mavfer\[models\].*libdlib-data"):
        find_landmark_model()


def test_a_wrong_place_is_not_silently_replaced(tmp_path):
    with pytest.raises(NotFound, match="no landmark model there"):
        find_landmark_model(tmp_path / "elsewhere.dat")
