from dataclasses import replace

import pytest

from mavfer.release.contents import Calibration, Capture, Ratings
from mavfer.release.limits import bias_sentences, codec_text, limit_sentences, sensitive_sentence


def capture(codec, *, is_copy=False):
    return Capture("color", "Cam One", 640, 480, 30.0, codec, is_copy, 1)


@pytest.mark.parametrize(
    ("way", "text"),
    [
        (capture("h264"), "H.264, constant rate factor 18"),
        (capture("x264-lossless"), "lossless H.264"),
        (capture("hevc", is_copy=True), "hevc as the source had it"),
        (capture("h264", is_copy=True), "h264 as the source had it"),
        (capture("ffv9"), "ffv9"),
        (capture(None), "counts, lossless"),
    ],
)
def test_the_codec_is_told_with_what_it_lost(way, text):
    assert codec_text(way) == text


def test_compression_is_a_limit_unless_it_lost_nothing(contents):
    lossless = replace(contents, captures=(capture("x264-lossless"),))

    assert any("H.264, constant rate factor 18" in text for text in limit_sentences(contents))
    assert not any("compressed" in text for text in limit_sentences(lossless))


def test_limits_tell_shares_of_frames_and_missing_streams(contents):
    text = " ".join(limit_sentences(contents))

    assert "of 4 there are 1 without depth and 1 without thermal" in text
    assert "In 2.0 % of the frames there is no usable face" in text
    assert "In 4.0 % of the frames color showed no face" in text


def test_the_worst_measured_calibration_counts(contents):
    unmeasured = replace(contents, calibrations=(Calibration("rig", "board", None, None, 2),))
    simulated = replace(contents, calibrations=(Calibration("sim", "simulated", 0.0, 0.0, 2),))

    assert any("at most 1.24 pixels" in text for text in limit_sentences(contents))
    assert any("was not measured" in text for text in limit_sentences(unmeasured))
    assert not any("calibration" in text for text in limit_sentences(simulated))


def test_simulated_raters_are_named_as_such(contents):
    some = replace(contents, ratings=Ratings(4, 9, {"person": 5, "simulated": 4}))

    assert not any("simulated" in text for text in limit_sentences(contents))
    assert any(text.startswith("Some raters are simulated") for text in limit_sentences(some))


def test_nothing_may_be_claimed_of_skin_tone_from_simulated_subjects(contents, simulated_contents):
    mixed, alone = bias_sentences(contents), bias_sentences(simulated_contents)

    assert mixed[0].startswith("Subject V01 is simulated: one photograph")
    assert alone[0].startswith("All subjects are simulated: one photograph")
    assert "no claim about skin tone, identity" in alone[0]
    assert len(alone) == 1


def test_few_people_are_a_limit(contents):
    one = replace(contents, lines=contents.lines[:1])

    assert any("Only 2 people were recorded" in text for text in bias_sentences(contents))
    assert any("Only one person was recorded" in text for text in bias_sentences(one))


def test_faces_of_people_are_sensitive_and_simulated_ones_are_not(contents, simulated_contents):
    color = replace(contents, lines=contents.lines[1:2])

    assert "pictures, the shape and the skin temperature of faces" in sensitive_sentence(contents)
    assert "hold pictures of faces" in sensitive_sentence(color)
    assert "No person was recorded" in sensitive_sentence(simulated_contents)
