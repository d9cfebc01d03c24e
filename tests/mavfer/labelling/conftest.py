"""Ratings of a known truth."""

import numpy as np
import pytest

from mavfer.study.ratings import read_latest_rating, write_rating

SESSIONS = ("S01-001", "S02-001", "S03-001", "S04-001")
FRAMES = 300
LAGS = {"R1": 0.4, "R2": 1.2, "R3": 0.8, "R4": 0.6}


def truth_at(times, session, dimension):
    """A slow curve of its own for each session and dimension, in [-1, 1]."""
    random = np.random.default_rng(SESSIONS.index(session) * 2 + (dimension == "valence"))
    speeds, phases = random.uniform(0.8, 3, 4), random.uniform(0, 6, 4)
    return np.sin(np.outer(times, speeds) + phases).mean(axis=1)


@pytest.fixture
def rate(shard_factory, tmp_path):
    """Makes a study in which raters rated the truth; `changes` maps a rater to a function."""

    def make(*, measured=(), changes=None, sessions=SESSIONS, raters=tuple(LAGS)):
        study = shard_factory.make_study(
            tmp_path / "rated", {name: {} for name in SESSIONS}, frames=FRAMES, height=8, width=8
        )
        for session in sessions:
            for dimension in ("arousal", "valence"):
                for number, rater in enumerate(raters):
                    times = np.arange(0, FRAMES / 30, 1 / 20)
                    random = np.random.default_rng(number)
                    value = truth_at(times - LAGS[rater], session, dimension)
                    value = value + random.normal(0, 0.02, len(times))
                    change = (changes or {}).get(rater)
                    one_rating(
                        study,
                        session,
                        dimension,
                        rater,
                        times=times,
                        value=change(value) if change else value,
                        settings={"reaction_seconds": LAGS[rater]} if rater in measured else {},
                    )
        return study

    return make


def one_rating(study, session, dimension, rater, *, times, value, settings, take=1):
    write_rating(
        study,
        {
            "session": session,
            "dimension": dimension,
            "rater": rater,
            "take": take,
            "kind": "simulated",
            "scale": {"kind": "unbounded", "low": None, "high": None},
            "input": {},
            "settings": settings,
            "passes": [{"first_sample": 0, "samples": len(times), "start_seconds": 0}],
            "dropped_frames": 0,
            "video_sha256": None,
            "is_complete": True,
        },
        {
            "media_time": times,
            "frame": [None] * len(times),
            "clock_ms": times * 1000,
            "value": value,
            "flags": np.zeros(len(times), int),
        },
    )


@pytest.fixture
def repeat():
    """Adds a hidden repeat of a rater's take of a session, its values changed by `change`."""

    def add(study, session, rater, change):
        for dimension in ("arousal", "valence"):
            first = read_latest_rating(study, session, dimension, rater)
            one_rating(
                study,
                session,
                dimension,
                rater,
                times=first.media_time,
                value=change(first.value),
                settings=first.document["settings"] | {"hidden_repeat": True},
                take=2,
            )

    return add


@pytest.fixture
def truth():
    """The curve that raters of `rate` rate, by session and dimension at given times."""
    return truth_at
