import numpy as np
import pytest

from mavfer.errors import InvalidFile, NotFound
from mavfer.files import write_csv, write_json
from mavfer.release.contents import Calibration, LeftOut
from mavfer.release.documents import write_documents
from mavfer.release.gathering import gather_contents
from mavfer.study.shard_index import read_index

SESSIONS = {
    "S01-001": {"kind": "video"},
    "S01-002": {"kind": "video", "streams": ("color",)},
    "S02-001": {"landmark_model_sha256": "a" * 64},
    "SECRET9-001": {"kind": "video"},
}
SAMPLES = [(0.1 * n, 0.5, 0) for n in range(20)]


@pytest.fixture
def study(shard_factory, tmp_path):
    """Three subjects with labels, ratings and a split; SECRET9 is not to be released."""
    study = shard_factory.make_study(tmp_path / "study", SESSIONS)
    table = {
        "subject": ["S01", "SECRET9", "S02"],
        "age": [30, 99, 20],
        "gender": ["f", "other", "f"],
    }
    write_csv(study.participants_path, table)
    for session in ("S01-001", "S02-001", "SECRET9-001"):
        shard_factory.write_label(study, session)
    for rater in ("RATER_A", "RATER_B"):
        for session in ("S01-001", "SECRET9-001"):
            shard_factory.write_rating(study, session, "arousal", rater, SAMPLES)
    folds = [{"train": ["S01", "SECRET9"], "test": ["S02"]}]
    shard_factory.write_split(study, folds)
    return study


@pytest.fixture
def released(study):
    """Lines of the index that are to be released."""
    return [line for line in read_index(study) if line["subject"] != "SECRET9"]


def gather(study, lines, **changes):
    options = {"version": "1.0.0", "created_utc": "2026-07-30T12:00:00Z", "labels": ["gold"]}
    return gather_contents(study, lines, [], **{**options, "splits": ["default"], **changes})


def write_consent(study, tmp_path, subject, *scope, version="v1"):
    form = tmp_path / f"{subject}.pdf"
    form.write_text("signed")
    study.write_consent(subject, form, form_version=version, scope=scope)


def test_only_what_is_released_is_gathered(study, released):
    found = gather(study, released)

    assert found.subjects == ("S01", "S02")
    assert found.simulated_subjects == ("S02",)
    assert found.splits[0].folds == ({"train": ("S01",), "test": ("S02",)},)
    assert [document["session"] for document in found.labels[0].documents] == [
        "S01-001",
        "S02-001",
    ]
    assert found.landmark_models == ("a" * 64,)


def test_participants_are_summarized_over_released_subjects_alone(study, released):
    age, gender = gather(study, released).columns

    assert (age.values.lowest, age.values.highest) == (20, 30)
    assert gender.categories == {"f": 2}


def test_ratings_are_counted_over_released_sessions(study, released):
    ratings = gather(study, released, with_ratings=True).ratings

    assert (ratings.raters, ratings.takes, ratings.is_included) == (2, 2, True)
    assert ratings.kinds == {"simulated": 2}
    assert gather(study, released[1:2]).ratings is None


def test_label_values_are_summarized_over_frames(study, released):
    values = gather(study, released).labels[0].values["valence"]
    wave = -np.sin(np.arange(40) / 7).round(6)

    assert (values.count, values.missing) == (80, 0)
    assert values.mean == pytest.approx(wave.mean(), abs=1e-6)


def test_expressions_are_counted_by_the_names_of_the_study(study, released, shard_factory):
    study.document["expression_classes"].extend(["neutral", "joy"])
    classes = [0] * 10 + [1] * 20 + [-1] * 9 + [7]
    shard_factory.write_label(study, "S01-001", expression=classes)

    found = gather(study, released).labels[0].expressions

    assert found == {"neutral": 10, "joy": 20, "7": 1}


def test_consents_are_counted_by_scope_and_form(study, released, tmp_path):
    write_consent(study, tmp_path, "S01", "record", "share", "publish_images")
    write_consent(study, tmp_path, "SECRET9", "record", version="v2")

    consents = gather(study, released).consents

    assert consents.subjects_by_scope == {"record": 1, "share": 1, "publish_images": 1}
    assert consents.form_versions == {"v1": 1}
    assert (consents.without_record, consents.publishable) == (1, ("S01",))


def test_agreement_is_read_where_it_was_computed(study, released):
    table = {
        "dimension": ["arousal", "valence"],
        "raters": ["all", "all"],
        "statistic": ["ccc", "ccc"],
        "value": [0.5, None],
        "low": [0.25, None],
        "high": [0.75, None],
    }
    write_csv(study.reports_folder / "agreement" / "dimensions.csv", table)

    arousal, valence = gather(study, released).agreement

    assert (arousal.value, arousal.low, arousal.high) == (0.5, 0.25, 0.75)
    assert np.isnan([valence.value, valence.low, valence.high]).all()


def test_the_rating_project_must_fit_its_schema(study, released):
    write_json(study.root / "annotation.json", {"format": "mavfer.annotation", "version": 1})

    with pytest.raises(InvalidFile, match=r"annotation\.json"):
        gather(study, released)


def test_answers_of_the_lab_are_read(study, released):
    (study.root / "datasheet.toml").write_text('funding = "Grant 7"')

    assert gather(study, released).answers == {"funding": "Grant 7"}


def test_a_label_that_no_released_session_has_is_left_out(study, released):
    assert gather(study, released, labels=["silver"]).labels == ()
    assert gather(study, released[1:2]).labels == ()


def test_a_split_must_be_there(study, released):
    with pytest.raises(NotFound, match="no split of this name"):
        gather(study, released, splits=["other"])


def test_cameras_calibrations_and_months_come_from_the_sessions(made_study):
    lines = read_index(made_study)
    found = gather(made_study, lines, labels=[], splits=[])

    ways = {(way.stream, way.model): way for way in found.captures}
    assert ways["color", "video file"].is_lossless_copy
    assert (ways["color", "simulated"].codec, ways["color", "simulated"].sessions) == ("h264", 1)
    assert (ways["thermal", "simulated"].width, ways["thermal", "simulated"].codec) == (160, None)
    assert [each.method for each in found.calibrations] == ["simulated"]
    assert isinstance(found.calibrations[0], Calibration)
    assert found.recorded_months[0] == found.recorded_months[1]


def test_a_release_of_a_real_study_has_documents_that_name_nobody_else(study, released, tmp_path):
    left_out = [LeftOut("no consent to share", 1, 1)]
    paths = write_documents(gather(study, released, left_out=left_out), tmp_path / "release")

    for path in paths:
        text = path.read_text(encoding="utf-8")
        assert "SECRET9" not in text
        assert "RATER" not in text
        assert str(tmp_path) not in text
