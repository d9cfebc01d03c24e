"""The design "split" through the simulated rig: recorded, preprocessed, labelled with the truth."""

import shutil

import numpy as np
import pytest

import mavfer
from baselines.rig_study import SHUFFLED, RigDesign, make_rig_study, write_true_labels
from baselines.synthetic import SPLIT, TRUTH
from mavfer.study.session import Session
from mavfer.study.splits import read_split
from mavfer.study.study import Study
from mavfer.study.truth import latent_at_frames, read_truth

TINY = RigDesign("rig", training_subjects=2, test_subjects=2, seconds=3, rate_hz=5)


def labelled(study, name):
    return {rec.session: rec for rec in mavfer.load(study.root, labels=name)}


def require_truth(study):
    for session, rec in labelled(study, TRUTH).items():
        latent = latent_at_frames(Session.open(study.session_folder(session)), "arousal")
        is_asked = rec.time_seconds >= 2

        assert np.isnan(rec.arousal[~is_asked]).all()
        assert np.allclose(rec.arousal[is_asked], latent[is_asked], atol=1e-5)
        assert is_asked.any()


def test_labels_are_the_truth_after_the_lit_beginning(journey, tmp_path):
    study = Study.open(shutil.copytree(journey.root, tmp_path / "study"))

    write_true_labels(study, ["P01"])

    require_truth(study)


@pytest.mark.soak
def test_everybody_is_recorded_in_both_lights_and_goes_the_whole_way(tmp_path):
    study = make_rig_study(tmp_path / "study", TINY)
    takes = [Session.open(study.session_folder(name)) for name in study.sessions()]

    assert len(takes) == 8
    asked = [read_truth(take.truth_path).settings for take in takes]
    assert {each["shows"] for each in asked} == {"split"}
    assert sorted(each["lighting"] for each in asked) == ["bright"] * 4 + ["dark"] * 4
    split = read_split(study, SPLIT)
    assert (split.subjects("train"), split.subjects("test")) == (("P01", "P02"), ("P03", "P04"))
    require_truth(study)
    true, shuffled = (labelled(study, name) for name in (TRUTH, SHUFFLED))
    for mine, other in (("P01-001", "P02-001"), ("P02-002", "P01-002"), ("P04-001", "P03-001")):
        got, theirs = shuffled[mine].valence, true[other].valence
        count = min(len(got), len(theirs))
        known = np.isfinite(got[:count]) & np.isfinite(theirs[:count])
        assert np.allclose(got[:count][known], theirs[:count][known], atol=0.2)
        assert not np.allclose(got[:count][known], true[mine].valence[:count][known], atol=0.05)

    before = {name: study.session_folder(name).stat().st_mtime_ns for name in study.sessions()}
    assert make_rig_study(study.root, TINY).root == study.root
    assert before == {
        name: study.session_folder(name).stat().st_mtime_ns for name in study.sessions()
    }
