"""Shards with known troubles, for the tests of the quality pages."""

import numpy as np

from mavfer.vision.validity import Reason, Valid

ALL = Valid.COLOR | Valid.DEPTH | Valid.THERMAL
FRAMES = 120
GOOD = {"agreement": 1.0, "inside": 1.0, "depth_coverage": 0.97, "thermal_coverage": 0.95}
_FIT = {
    "device_origin_ns": 1_000,
    "host_origin_ns": 2_000,
    "drift_ppm": 12.5,
    "residual_median_ms": 1.5,
    "residual_p95_ms": 6.0,
    "residual_max_ms": 11.0,
    "bound_ms": 0.4,
    "frames": FRAMES,
    "is_usable": True,
    "uncertainty_median_ms": 0.08,
    "uncertainty_max_ms": 0.31,
    "pieces": [
        {
            "first_frame": 0,
            "frames": FRAMES,
            "cause": "start",
            "jump_ms": 0.0,
            "uncertainty_ms": 0.31,
        }
    ],
}
_PAIRING = {
    "frames": FRAMES,
    "pairs": FRAMES,
    "missing": 0,
    "duplicates": 3,
    "gap_median_ms": 4.0,
    "gap_p95_ms": 12.0,
    "gap_max_ms": 14.0,
    "drift_ppm": 12.5,
    "fit_residual_ms": 1.5,
    "fit_bound_ms": 0.4,
    "longest_hole_ms": 66.0,
}
_COLOR = {"frames": FRAMES, "fit": _FIT}
_OTHER = {**_COLOR, "rate_hz": 30.0, "pairing": _PAIRING}
DOCUMENTS = {
    "synchronisation": {"color": _COLOR, "depth": _OTHER, "thermal": _OTHER},
    "tracks": [
        {"first": 0, "last": 99, "source": "color", "is_subject": True, "why": "the only face"},
        {"first": 40, "last": 50, "source": "color", "is_subject": False, "track": 2},
    ],
}
SPOILS = {
    "no_face": {"valid": 0, "reason": Reason.NO_FACE},
    "lost": {"valid": 0, "reason": Reason.LOST},
    "outside": {
        "valid": ALL & ~Valid.COLOR,
        "reason": Reason.OUTSIDE_IMAGE,
        "inside": np.linspace(0.7, 0.4, FRAMES),
    },
    "doubtful": {
        "valid": ALL & ~Valid.COLOR,
        "reason": Reason.LOW_AGREEMENT,
        "agreement": np.full(FRAMES, 9.0),
    },
    "turned": {"valid": ALL & ~Valid.COLOR, "reason": Reason.TURNED_AWAY},
    "several": {"n_faces": 2},
    "sparse_depth": {"valid": ALL & ~Valid.DEPTH, "depth_coverage": np.full(FRAMES, 0.2)},
    "no_thermal": {"valid": ALL & ~Valid.THERMAL, "thermal_frame": -1},
    "shutter": {"valid": ALL & ~Valid.THERMAL, "thermal_flags": 1},
    "carried": {"valid": ALL | Valid.CARRIED, "carry_residual_mm": np.full(FRAMES, 2.0)},
}
"""What each trouble does to the columns; measures of the quality are given for every frame."""


def troubled_table(shard_factory, **spans):
    """Columns of `FRAMES` frames at 30 Hz, good but for the spans (first, stop) of troubles."""
    table = shard_factory.columns(FRAMES)
    for name, value in GOOD.items():
        table["quality"][name] = value
    table["valid"][:] = ALL
    for name, (first, stop) in spans.items():
        for column, value in SPOILS[name].items():
            if column in table:
                table[column][first:stop] = value
            else:
                table["quality"][column][first:stop] = value[first:stop]
    return table


def troubled_study(shard_factory, root, sessions):
    """A study whose sessions have the troubles given: {session: {trouble: (first, stop)}}."""
    options = {
        session: {"table": troubled_table(shard_factory, **spans), **DOCUMENTS}
        for session, spans in sessions.items()
    }
    return shard_factory.make_study(root, options, frames=FRAMES)
