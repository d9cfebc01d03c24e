import numpy as np
import pytest

from mavfer.errors import CommandError, NotFound
from mavfer.labelling import label_study
from mavfer.labelling.features import face_features, features_at
from mavfer.labelling.panel import read_panels
from mavfer.labelling.reaction import reactions
from mavfer.study.labels import read_label_traces
from mavfer.study.shards import Shard
from mavfer.vision.validity import Valid

FRAMES = 300
FASTEST_SECONDS = 0.4


def smiling(openness):
    """Landmarks (T, 68, 2) of a still head whose lips open by `openness` (T,)."""
    random = np.random.default_rng(7)
    face = np.tile(random.uniform(100, 500, (68, 2)), (len(openness), 1, 1))
    face[:, 36], face[:, 45] = (200, 200), (400, 200)
    face[:, 27], face[:, 8] = (300, 210), (300, 480)
    face[:, 62], face[:, 66] = (300, 380), (300, 390)
    face[:, 66, 1] += 40 * openness
    return face


def test_features_do_not_depend_on_size_or_tilt_of_the_face():
    face = smiling(np.linspace(0, 1, 5))
    turn = np.array([[0.6, -0.8], [0.8, 0.6]])

    turned = face_features(3 * face @ turn.T + [50, 20])

    np.testing.assert_allclose(turned, face_features(face), atol=1e-12)
    assert (np.diff(turned[2]) > 0).all()


def test_missing_landmarks_are_missing_features():
    face = smiling(np.zeros(3))
    face[1] = np.nan

    features = face_features(face)

    assert np.isnan(features[:, 1]).all()
    assert np.isfinite(features[:, [0, 2]]).all()


@pytest.fixture
def faces_of(shard_factory, truth):
    """Writes shards again, with faces whose lips show what was felt."""

    def write(study, *, valid=None, is_still=False):
        for line in study_sessions(study):
            path = study.shard_path(line)
            times = np.asarray(Shard(path).time_seconds)
            path.unlink()
            felt = np.zeros(FRAMES) if is_still else truth(times, line, "arousal")
            table = shard_factory.columns(FRAMES)
            noise = np.random.default_rng(1).normal(0, 0.3, (FRAMES, 68, 2))
            table["landmarks"] = (smiling(felt) + noise).astype(np.float32)
            if valid is not None:
                table["valid"] = np.full(FRAMES, valid, table["valid"].dtype)
            pixels = shard_factory.faces(FRAMES, 8, 8)
            shard_factory.write_shard(path, pixels, table=table)

    return write


def study_sessions(study):
    return sorted(path.stem for path in study.shards_folder.glob("*.h5"))


def test_the_faces_tell_how_late_the_raters_are(rate, faces_of):
    study = rate()
    faces_of(study)
    arousal = next(panel for panel in read_panels(study) if panel.dimension == "arousal")

    found = reactions(study, [arousal], "pictures")["arousal"]

    assert found.told_by == "the faces"
    assert found.seconds == pytest.approx(FASTEST_SECONDS, abs=0.12)


def test_the_label_says_that_the_faces_told_the_lag(rate, faces_of):
    study = rate()
    faces_of(study)

    outcome = label_study(study, reaction="pictures")

    about = outcome.dimensions["arousal"]
    assert about["reaction_from"] == "the faces"
    assert about["reaction_seconds"] == pytest.approx(FASTEST_SECONDS, abs=0.12)
    assert about["lag_sources"] == ["traces, fastest rater and the faces"] * 4
    assert read_label_traces(study, "gold", "S01-001")[1]["settings"]["reaction"] == "pictures"


def test_faces_that_never_move_do_not_tell(rate, faces_of):
    study = rate()
    faces_of(study, is_still=True)

    with pytest.raises(NotFound, match=r"faces do not tell .* Say it: --reaction SECONDS"):
        label_study(study, reaction="pictures")


def test_faces_carried_by_depth_show_no_expression(rate, faces_of):
    study = rate()
    faces_of(study, valid=Valid.COLOR | Valid.CARRIED)

    assert np.isnan(features_at(study, "S01-001", np.arange(3.0))).all()
    with pytest.raises(NotFound, match="no delay stands out"):
        label_study(study, reaction="pictures")


def test_raters_with_a_measured_lag_need_no_faces(rate):
    outcome = label_study(rate(measured=("R1",)), reaction="pictures")

    assert outcome.dimensions["arousal"]["reaction_from"] == "calibration clip"
    assert any("--reaction is not used" in notice for notice in outcome.notices)


def test_without_anything_both_ways_are_named(rate):
    with pytest.raises(CommandError, match=r"--reaction SECONDS .* --reaction pictures"):
        label_study(rate())
