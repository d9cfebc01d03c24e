from dataclasses import replace

import numpy as np
import pytest

from mavfer.vision.validity import FrameFacts, Reason, Valid, judge_frame

GOOD = FrameFacts(
    source="color",
    is_head_lost=False,
    inside=1.0,
    agreement=1.0,
    depth="there",
    depth_coverage=0.97,
    thermal="there",
    thermal_coverage=0.9,
)
ALL = Valid.COLOR | Valid.DEPTH | Valid.THERMAL


@pytest.mark.parametrize(
    ("change", "valid", "reason"),
    [
        ({}, ALL, Reason.NONE),
        ({"agreement": np.nan}, ALL, Reason.NONE),
        ({"source": "none"}, Valid(0), Reason.NO_FACE),
        ({"source": "none", "is_head_lost": True}, Valid(0), Reason.LOST),
        ({"inside": 0.5}, Valid.DEPTH | Valid.THERMAL, Reason.OUTSIDE_IMAGE),
        ({"agreement": 5.1}, Valid.DEPTH | Valid.THERMAL, Reason.LOW_AGREEMENT),
        ({"agreement": 4.9}, ALL, Reason.NONE),
        ({"yaw_degrees": 33.0}, Valid.DEPTH | Valid.THERMAL, Reason.TURNED_AWAY),
        ({"yaw_degrees": -33.0}, Valid.DEPTH | Valid.THERMAL, Reason.TURNED_AWAY),
        ({"yaw_degrees": 31.0}, ALL, Reason.NONE),
        ({"yaw_degrees": 33.0, "source": "depth"}, ALL | Valid.CARRIED, Reason.CARRIED),
        ({"yaw_degrees": 33.0, "depth": "missing"}, Valid.THERMAL, Reason.TURNED_AWAY),
        ({"agreement": 9.0}, Valid.DEPTH | Valid.THERMAL, Reason.LOW_AGREEMENT),
        ({"depth": "missing", "depth_coverage": np.nan}, ALL & ~Valid.DEPTH, Reason.NO_DEPTH),
        ({"depth_coverage": 0.2}, ALL & ~Valid.DEPTH, Reason.SPARSE_DEPTH),
        ({"thermal": "missing"}, ALL & ~Valid.THERMAL, Reason.NO_THERMAL),
        ({"thermal": "shutter"}, ALL & ~Valid.THERMAL, Reason.THERMAL_SHUTTER),
        ({"thermal_coverage": 0.1}, ALL & ~Valid.THERMAL, Reason.SPARSE_THERMAL),
        ({"source": "depth"}, ALL | Valid.CARRIED, Reason.CARRIED),
        ({"is_approximate": True}, ALL | Valid.APPROXIMATE, Reason.NONE),
        ({"depth": "absent", "thermal": "absent"}, Valid.COLOR, Reason.NONE),
        ({"thermal": "shutter", "depth": "missing"}, Valid.COLOR, Reason.NO_DEPTH),
    ],
)
def test_frames_are_judged(change, valid, reason):
    assert judge_frame(replace(GOOD, **change)) == (valid, reason)


def test_codes_of_the_shard_never_change():
    assert [bit.value for bit in Valid] == [1, 2, 4, 8, 16]
    assert {reason.name: reason.value for reason in Reason} == {
        "NONE": 0,
        "NO_FACE": 1,
        "LOST": 2,
        "OUTSIDE_IMAGE": 3,
        "LOW_AGREEMENT": 4,
        "NO_DEPTH": 5,
        "SPARSE_DEPTH": 6,
        "NO_THERMAL": 7,
        "THERMAL_SHUTTER": 8,
        "SPARSE_THERMAL": 9,
        "CARRIED": 10,
        "TURNED_AWAY": 11,
    }
