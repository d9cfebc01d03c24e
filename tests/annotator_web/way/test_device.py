import json

import pytest

from annotator_web.way.device import device_details, has_sound

GOOD = {"video": "good", "storage": "good", "frames": 55, "hand": ["mouse"], "gamepad": None}


def test_what_is_known_is_kept_and_the_rest_is_not():
    found = device_details(json.dumps({**GOOD, "else": 1, "seconds": "two"}))

    assert found == GOOD


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "[" * 4000,
        json.dumps({**GOOD, "video": "bad"}),
        json.dumps({**GOOD, "storage": "bad"}),
        json.dumps({**GOOD, "browser": "x" * 5000}),
    ],
)
def test_a_check_that_did_not_come_through_is_none(text):
    assert device_details(text) is None


def test_a_slow_video_is_good_enough():
    assert device_details(json.dumps({**GOOD, "video": "slow"}))


def test_a_study_without_sound_asks_for_no_headphones(rater):
    assert not has_sound(rater.context.project, ["S01-001", "S02-001"])
