"""One thing broken at a time, and what `check_study` then says; the study is made by commands."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import h5py
import pytest
from make_videos import make_video

from mavfer.check import check_study
from mavfer.errors import InvalidFile, NotFound
from mavfer.files import read_csv, read_json, sha256_of, write_csv, write_json
from mavfer.study.study import Study

LIT, SIM = "S01-001", "P1-001"
FRAMES = 12
EXAMPLES = Path(__file__).parents[1] / "schemas" / "examples"


@pytest.fixture(scope="module")
def full_study(made_study, shard_factory, tmp_path_factory):
    """Sessions, shards and media by commands, and a label, a rating, a split and a result."""
    root = tmp_path_factory.mktemp("full") / "study"
    study = Study.open(shutil.copytree(made_study.root, root))
    (root.parent / "form.pdf").write_text("signed")
    study.write_consent("S01", root.parent / "form.pdf", form_version="1", scope=["record"])
    shard_factory.write_label(study, LIT, frames=FRAMES)
    samples = [(n / 30, 0.1 * n, 0) for n in range(FRAMES)]
    shard_factory.write_rating(study, LIT, "valence", "R1", samples, passes=[(0, FRAMES)])
    shard_factory.write_split(study, [{"train": ["S01"], "test": ["P1"]}])
    write_json(root / "annotation.json", annotation_of([LIT, SIM]))
    return study


@pytest.fixture
def broken(full_study, tmp_path):
    """A copy of the good study, to break."""
    return Study.open(shutil.copytree(full_study.root, tmp_path / "study"))


def example_of(name):
    """A good example of a format that no command writes yet."""
    return next((EXAMPLES / name / "good").iterdir())


def annotation_of(sessions):
    return read_json(example_of("annotation")) | {"sessions": sessions}


def problems_of(study):
    return [f.text for f in check_study(study.root).findings if f.level == "problem"]


def change(path, **values):
    write_json(path, read_json(path) | values)


def change_session(study, session, **values):
    change(study.session_folder(session) / "session.json", **values)


def no_participant(study):
    write_csv(study.participants_path, {"subject": ["P1"]})


def participant_twice(study):
    write_csv(study.participants_path, {"subject": ["P1", "S01", "S01"]})


def calibration_missing(study):
    next((study.root / "calibration").glob("*.json")).unlink()


def calibration_changed(study):
    change(next((study.root / "calibration").glob("*.json")), created_utc="2020-01-01T00:00:00Z")


def calibration_renamed(study):
    path = next((study.root / "calibration").glob("*.json"))
    shutil.copy(path, path.with_name("other.json"))


def consent_changed(study):
    change_session(study, LIT, consent_sha256="0" * 64)


def consent_of_another(study):
    path = study.consent_path("S01")
    path.rename(path.with_name("P1.json"))


def consent_torn(study):
    study.consent_path("S01").write_text("{")


def color_shorter(study):
    make_video(study.session_folder(LIT) / "color.mkv", FRAMES - 1)


def color_cut(study):
    path = study.session_folder(LIT) / "color.mkv"
    path.write_bytes(path.read_bytes()[:200])


def depth_shorter(study):
    with h5py.File(study.session_folder(SIM) / "streams.h5", "r+") as file:
        file["depth/frames"].resize(3, axis=0)


def truth_of_a_video(study):
    shutil.copy(study.session_folder(SIM) / "truth.h5", study.session_folder(LIT) / "truth.h5")


def truth_torn(study):
    (study.session_folder(SIM) / "truth.h5").write_bytes(b"torn")


def recording_gone(study):
    (study.session_folder(SIM) / "truth.h5").unlink()


def take_cut_short(study):
    change_session(study, SIM, state="recording")


def session_document_gone(study):
    (study.session_folder(SIM) / "session.json").unlink()


def session_renamed(study):
    study.session_folder(LIT).rename(study.session_folder("S01-002"))


def shard_of_another_length(study, shard_factory):
    pixels = shard_factory.faces(FRAMES - 2)
    shard_factory.write_shard(study.shard_path(LIT), pixels, streams=("color",))


def media_changed(study):
    path = study.media_path(LIT)
    path.write_bytes(path.read_bytes() + b"\0")


def media_gone(study):
    study.media_path(LIT).unlink()


def media_table_gone(study):
    study.media_table_path(LIT).unlink()


def media_times_changed(study):
    path = study.media_table_path(LIT)
    pts = read_json(path)["pts"]
    change(path, pts=[*pts[:-1], pts[-1] + 90])


def media_times_fewer(study):
    path = study.media_table_path(LIT)
    change(path, pts=read_json(path)["pts"][:-1], frames=FRAMES - 1)


def orphan_shard(study):
    shutil.rmtree(study.session_folder(LIT))


def shard_torn(study):
    study.shard_path(LIT).write_bytes(study.shard_path(LIT).read_bytes()[:5000])


def listed_shard_gone(study):
    study.shard_path(LIT).unlink()


def label_changed(study):
    path = study.labels_folder / "gold" / f"{LIT}.csv"
    table = read_csv(path)
    write_csv(path, table | {"arousal": ["0.5", *table["arousal"][1:]]})


def label_shorter(study):
    path = study.labels_folder / "gold" / f"{LIT}.csv"
    write_csv(path, {name: cells[:-1] for name, cells in read_csv(path).items()})


def label_of_a_text(study):
    path = study.labels_folder / "gold" / f"{LIT}.csv"
    table = read_csv(path)
    write_csv(path, table | {"arousal": ["calm", *table["arousal"][1:]]})


def label_without_its_json(study):
    (study.labels_folder / "gold" / f"{LIT}.json").unlink()


def label_without_its_values(study):
    (study.labels_folder / "gold" / f"{LIT}.csv").unlink()


def label_of_nothing(study, shard_factory):
    shard_factory.write_label(study, "S07-001", frames=FRAMES)


def rating_changed(study):
    path = study.ratings_folder / LIT / "valence.R1.001.csv"
    path.write_text(path.read_text().replace("0.1", "0.2", 1))


def rating_of_an_unknown_dimension(study):
    change(study.root / "study.json", dimensions=study.document["dimensions"][:1])


def ratings_of_nothing(study):
    (study.ratings_folder / LIT).rename(study.ratings_folder / "S07-001")


def split_of_an_unknown_subject(study, shard_factory):
    shard_factory.write_split(study, [{"train": ["S01"], "test": ["S07"]}])


def split_that_leaks(study, shard_factory):
    shard_factory.write_split(study, [{"train": ["S01", "P1"], "test": ["P1"]}])


def annotation_of_an_unknown_session(study):
    write_json(study.root / "annotation.json", annotation_of([LIT, "S07-001"]))


BREAKS = [
    (no_participant, r"S01-001: subject S01 is not in participants\.csv\. Add the row"),
    (participant_twice, r"participants\.csv: subjects twice: S01"),
    (calibration_missing, r"\.json: missing; session P1-001 needs it\. Copy it back"),
    (calibration_changed, r"\.json: changed since session P1-001 was recorded"),
    (calibration_renamed, r"other\.json: calls itself simulated.*\. Rename it"),
    (consent_changed, r"S01\.json: missing, or changed since session S01-001 was recorded"),
    (consent_of_another, r"P1\.json: is the consent of subject S01\. Rename it"),
    (consent_torn, r"S01\.json: not readable as JSON"),
    (color_shorter, r"color\.mkv: 11 frames, but 12 stamps in streams\.h5"),
    (color_cut, r"color\.mkv: (cannot be opened as a video|holds no video stream)"),
    (depth_shorter, r"streams\.h5: depth: 3 frames, \d+ stamps"),
    (truth_of_a_video, r"S01-001/truth\.h5: only simulated sessions have a truth"),
    (truth_torn, r"P1-001/truth\.h5: cannot be opened as HDF5; it is torn or cut off"),
    (recording_gone, r"P1-001/truth\.h5: recorded with the take, and missing\. Restore it from"),
    (take_cut_short, r"P1-001: was cut short, or is being recorded\. Run mavfer audit"),
    (session_document_gone, r"P1-001: no session here \(session\.json is missing\)"),
    (session_renamed, r"session\.json: says session S01-001, its folder says S01-002"),
    (shard_of_another_length, r"S01-001\.h5: 10 rows, but the session has 12 color frames"),
    (media_changed, r"S01-001\.mp4: missing, or not that of its table\. Delete it and prep"),
    (media_gone, r"S01-001\.mp4: missing, or not that of its table"),
    (media_table_gone, r"media/S01-001\.json: no such file"),
    (media_times_changed, r"S01-001\.json: frame times are not those of the shard\. Delete it"),
    (media_times_fewer, r"S01-001\.json: frame times are not those of the shard"),
    (orphan_shard, r"shards/S01-001\.h5: its session is not there\. Delete it, or restore"),
    (orphan_shard, r"media/S01-001\.mp4: its session is not there"),
    (shard_torn, r"shards/S01-001\.h5: cannot be opened as HDF5; it is torn or cut off"),
    (listed_shard_gone, r"S01-001\.h5: listed in index\.jsonl but missing\. Restore it, or run"),
    (label_changed, r"gold/S01-001\.csv: changed since the label was made"),
    (label_shorter, r"gold/S01-001\.csv: 11 rows, the shard has 12 frames"),
    (label_of_a_text, r"gold/S01-001\.csv: not a valid label-frames .*\$\.arousal\[0\]: 'calm'"),
    (label_without_its_json, r"gold/S01-001\.json: no such file"),
    (label_without_its_values, r"gold/S01-001\.csv: no such file"),
    (label_of_nothing, r"gold/S07-001\.csv: session S07-001 has no shard"),
    (rating_changed, r"valence\.R1\.001\.csv: samples changed since they were collected"),
    (rating_of_an_unknown_dimension, r"valence\.R1\.001\.csv: dimension valence is not in study"),
    (ratings_of_nothing, r"ratings/S07-001: ratings of a session that is not there"),
    (split_of_an_unknown_subject, r"split default: subjects that are not in participants.*: S07"),
    (split_that_leaks, r"default\.json, fold 0: subject P1 stands in train and in test"),
    (annotation_of_an_unknown_session, r"annotation\.json: sessions that are not there: S07-001"),
]


def test_a_good_study_has_no_findings(full_study):
    result = check_study(full_study.root)

    assert result.findings == ()
    assert result.is_good
    assert result.verdict == "valid: 2 sessions, 2 shards"


@pytest.mark.parametrize(
    ("break_it", "text"), BREAKS, ids=[f"{b.__name__}-{n}" for n, (b, _) in enumerate(BREAKS)]
)
def test_what_is_broken_is_found_and_named(broken, shard_factory, break_it, text):
    wants_factory = break_it.__code__.co_argcount > 1
    break_it(*([broken, shard_factory] if wants_factory else [broken]))
    found = problems_of(broken)

    assert [problem for problem in found if re.search(text, problem)], found
    assert len(set(found)) == len(found)
    assert all("\n" not in problem for problem in found)


def test_one_changed_byte_of_a_recording_is_found_where_hashes_are_compared(broken):
    path = broken.session_folder(SIM) / "color.mkv"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    found = [f for f in check_study(broken.root, with_hashes=True).findings if "color" in f.text]

    assert check_study(broken.root).is_good
    assert [str(f) for f in found] == [
        f"problem: {path}: changed since the take was recorded. Restore it from a copy"
    ]


def test_one_torn_file_does_not_hide_the_next(broken, shard_factory):
    split_that_leaks(broken, shard_factory)
    shutil.copy(broken.splits_folder / "default.json", broken.splits_folder / "again.json")
    label_without_its_json(broken)
    shard_factory.write_label(broken, "S07-001", frames=FRAMES)
    found = "\n".join(problems_of(broken))

    for text in (r"again\.json, fold 0", r"default\.json, fold 0", r"S01-001\.json: no such file",
                 "S07-001 has no shard"):  # fmt: skip
        assert re.search(text, found)


def test_a_session_without_a_shard_is_a_notice(broken):
    for path in (broken.shard_path(SIM), broken.media_path(SIM), broken.media_table_path(SIM),
                 broken.index_path):  # fmt: skip
        path.unlink()
    result = check_study(broken.root)

    assert result.is_good
    assert [str(f) for f in result.findings] == [
        f"notice: P1-001: no shard yet. Run mavfer preprocess {broken.root}"
    ]


def test_what_a_stopped_run_left_is_a_notice_and_may_be_deleted(broken):
    left = [broken.shards_folder / "S01-001.h5.part", broken.sessions_folder / ".import-x.part"]
    left[0].write_bytes(b"half")
    left[1].mkdir()
    result = check_study(broken.root)

    assert result.is_good
    assert sorted(f.text for f in result.findings if f.level == "notice") == sorted(
        f"{path}: left over from a run that was stopped; may be deleted" for path in left
    )


def test_locks_and_hidden_files_are_never_reported(broken):
    for path in (
        broken.root / ".gitignore",
        broken.sessions_folder / ".lock",
        broken.sessions_folder / ".DS_Store",
        broken.session_folder(LIT) / ".lock",
        broken.shards_folder / ".S07-001.lock",
        broken.shards_folder / "index.lock",
        broken.shards_folder / "._S01-001.h5",
        broken.media_folder / "._S01-001.mp4",
        broken.labels_folder / "gold" / "._S01-001.csv",
        broken.ratings_folder / ".DS_Store",
        broken.splits_folder / "._default.json",
        broken.root / "consents" / "._S01.json",
        broken.root / "calibration" / "._simulated.json",
        broken.root / "labels" / ".cache" / "x.json",
    ):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"\0\1")

    assert check_study(broken.root).findings == ()


def test_checking_changes_nothing(broken):
    before = {p: p.read_bytes() for p in broken.root.rglob("*") if p.is_file()}
    check_study(broken.root)

    assert {p: p.read_bytes() for p in broken.root.rglob("*") if p.is_file()} == before


def test_the_verdict_counts_the_problems(broken):
    media_gone(broken)
    rating_changed(broken)
    result = check_study(broken.root)

    assert result.verdict == "2 problems in 2 sessions, 2 shards"
    assert result.to_document()["valid"] is False
    assert [f["level"] for f in result.to_document()["findings"]] == ["problem", "problem"]


def test_predictions_that_changed_since_the_run_are_found(broken):
    folder = broken.root / "results" / "sta-1"
    folder.mkdir(parents=True)
    predictions = Path(shutil.copy(example_of("predictions"), folder / "predictions.csv"))
    result = read_json(example_of("result")) | {"predictions_sha256": sha256_of(predictions)}
    write_json(folder / "result.json", result)
    good = problems_of(broken)
    predictions.write_text(predictions.read_text().replace("0.1", "0.7"))

    assert good == []
    assert problems_of(broken) == [f"{predictions}: changed since the run ended"]


def test_what_is_no_study_cannot_be_checked(broken, tmp_path):
    with pytest.raises(NotFound, match="no study here"):
        check_study(tmp_path / "nowhere")
    (broken.root / "study.json").write_text("[]")
    with pytest.raises(InvalidFile, match=r"study\.json: not a valid study file"):
        check_study(broken.root)
