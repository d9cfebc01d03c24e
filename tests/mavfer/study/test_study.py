"""The study's folder: made once, opened by what study.json says, and where each file lies."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mavfer.errors import AlreadyThere, CommandError, InvalidFile, NotFound, WrongVersion
from mavfer.files import read_json, sha256_of, write_csv, write_json
from mavfer.schema import require_valid
from mavfer.study.study import Study, require_subject, software_versions, utc_now


@pytest.fixture
def study(tmp_path):
    return Study.create(tmp_path / "study", name="faces", licence="CC0-1.0")


@pytest.fixture
def form(tmp_path):
    path = tmp_path / "form.pdf"
    path.write_text("signed")
    return path


def test_a_new_study_opens_again_as_it_was_made(study):
    again = Study.open(study.root)

    assert again == study
    assert again.name == "faces"
    assert again.sessions() == []
    assert again.participants() == {"subject": []}
    require_valid(read_json(study.root / "study.json"), "study", "study.json")


def test_a_study_without_a_name_is_called_as_its_folder(tmp_path):
    assert Study.create(tmp_path / "pilot").name == "pilot"


def test_an_empty_folder_and_one_under_version_control_become_a_study(tmp_path):
    (tmp_path / ".git").mkdir()

    assert Study.open(Study.create(tmp_path).root).root == tmp_path


def test_what_is_there_already_is_never_overwritten(study, tmp_path):
    before = sha256_of(study.root / "study.json")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").touch()
    (tmp_path / "file").touch()

    with pytest.raises(AlreadyThere, match="holds a study already"):
        Study.create(study.root)
    for name in ("full", "file"):
        with pytest.raises(AlreadyThere, match="exists and is not an empty folder"):
            Study.create(tmp_path / name)
    assert sha256_of(study.root / "study.json") == before
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["thesis.txt"]


def test_what_is_no_study_is_refused(tmp_path, study):
    with pytest.raises(NotFound, match=r"no study here .*Make one: mavfer init"):
        Study.open(tmp_path)
    document = read_json(study.root / "study.json")
    for content, error, text in (
        (document | {"version": 2}, WrongVersion, "study version 2, this mavfer reads version 1"),
        (document | {"version": 0}, WrongVersion, "Make the file again with this mavfer"),
        (document | {"dimensions": "both"}, InvalidFile, r"\$\.dimensions: 'both' is not of type"),
        ([], InvalidFile, "not a valid study file"),
    ):
        write_json(study.root / "study.json", content)
        with pytest.raises(error, match=text):
            Study.open(study.root)
    (study.root / "study.json").write_bytes(b"\xff\xfe")
    with pytest.raises(InvalidFile, match="not readable as JSON"):
        Study.open(study.root)


def test_sessions_are_the_folders_that_are_named_as_sessions(study):
    for name in ("S02-001", "S01-010", "S01-002", ".import-x.part", "notes", "S01-1", "S 1-001"):
        (study.sessions_folder / name).mkdir()
    (study.sessions_folder / "S03-001").touch()

    assert study.sessions() == ["S01-002", "S01-010", "S02-001"]
    assert study.next_session("S01") == "S01-011"
    assert study.next_session("S0") == "S0-001"


def test_a_subject_has_at_most_999_sessions(study):
    (study.sessions_folder / "S01-999").mkdir()
    with pytest.raises(CommandError, match=r"S01: has 999 sessions\. Use another code"):
        study.next_session("S01")


@given(st.text(max_size=40))
@example("S01\n")
def test_a_subject_code_is_letters_digits_and_underscores(code):
    if re.fullmatch(r"[A-Za-z0-9_]{1,32}", code):
        assert require_subject(code) == code
    else:
        with pytest.raises(CommandError, match=r"not a subject code \(1 to 32 letters, digits"):
            require_subject(code)


@pytest.mark.parametrize("name", ["S01-001\n", "../S01-001", "S01", "S01-0001", ""])
def test_a_session_id_cannot_lead_out_of_the_study(study, name):
    with pytest.raises(CommandError, match="not a session id"):
        study.session_folder(name)


@pytest.mark.parametrize("name", ["../rig", "rig/1", "", "rig\n"])
def test_a_calibration_cannot_lie_outside_of_its_folder(study, name):
    with pytest.raises(CommandError, match="not a calibration name"):
        study.calibration_path(name)


def test_participants_keep_the_columns_that_a_person_added(study):
    write_csv(study.participants_path, {"subject": ["S01"], "age": [31], "note": ["left-handed"]})
    study.add_participant("S02")
    study.add_participant("S01")

    assert study.participants()["subject"] == ["S01", "S02"]
    assert study.participants()["note"] in (["left-handed", ""], ["left-handed", None])


def test_a_consent_is_written_once_and_names_its_form_by_hash(study, form):
    path = study.write_consent("S01", form, form_version="2", scope=["record", "rate", "record"])
    document = read_json(path)

    assert document["form_sha256"] == sha256_of(form)
    assert document["scope"] == ["record", "rate"]
    assert study.participants()["subject"] == ["S01"]
    with pytest.raises(AlreadyThere, match=r"S01 has a consent record\. Move it aside"):
        study.write_consent("S01", form, form_version="3", scope=["record"])
    assert read_json(path) == document


def test_a_consent_without_its_form_is_refused(study, tmp_path):
    for missing in (tmp_path / "nothing.pdf", tmp_path):
        with pytest.raises(NotFound, match=r"no such file\. Give the scanned or printed"):
            study.write_consent("S01", missing, form_version="1", scope=["record"])

    assert list((study.root / "consents").iterdir()) == []


def test_a_consent_is_not_half_written_where_the_participants_cannot_be_read(study, form):
    study.participants_path.write_text("code\nS01\n")
    with pytest.raises(InvalidFile, match=r"participants\.csv: not a valid participants file"):
        study.write_consent("S01", form, form_version="1", scope=["record"])

    assert list((study.root / "consents").iterdir()) == []


def test_consents_that_are_given_at_once_all_become_participants(study, form):
    codes = [f"S{number:02d}" for number in range(12)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda code: study.write_consent(code, form, form_version="1",
                                                       scope=["record"]), codes))  # fmt: skip

    assert sorted(study.participants()["subject"]) == codes


def test_versions_name_what_is_installed_and_leave_out_what_is_not():
    versions = software_versions("pytest", "a-package-of-nobody")

    assert {"mavfer", "numpy", "pytest"} <= versions.keys()
    assert "a-package-of-nobody" not in versions


def test_times_are_spelled_as_the_formats_want_them():
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", utc_now())
