"""A hand-made release: two people, one simulated subject, everything that documents can tell."""

from dataclasses import replace

import pytest

from mavfer.release.contents import (
    AgreementLine,
    Calibration,
    Capture,
    ColumnSummary,
    Consents,
    Contents,
    LabelSummary,
    LeftOut,
    Ratings,
    ReleasedFile,
    SplitSummary,
    ValueSummary,
    Withdrawal,
)
from mavfer.release.questions import QUESTIONS


def index_line(session, *, kind="video", frames=300, valid=290, carried=30, streams=None):
    """A line of shards/index.jsonl."""
    sizes = {"color": (224, 224), "depth": (224, 224), "thermal": (112, 112)}
    named = streams or tuple(sizes)
    return {
        "format": "mavfer.shard-index",
        "version": 1,
        "session": session,
        "subject": session.rpartition("-")[0],
        "kind": kind,
        "file": f"{session}.h5",
        "size": 5_000_000,
        "mtime_ns": 1,
        "sha256": "a" * 64,
        "inputs_sha256": "b" * 64,
        "created_utc": "2026-05-01T10:00:00Z",
        "frames": frames,
        "group_size": 8,
        "valid_frames": valid,
        "carried_frames": carried,
        "seconds": (frames - 1) / 30,
        "rate_hz": 30.0,
        "streams": {
            name: {"height": sizes[name][0], "width": sizes[name][1], "valid_frames": valid}
            for name in named
        },
        "alignment": "mavfer224",
        "settings": {"lighting": "dark" if carried else "bright", "rig": "secret-rig"},
    }


def label_document(session, raters=("RATER_A", "RATER_B", "RATER_C")):
    """What labels/gold/<session>.json says."""
    about = {
        "raters": list(raters),
        "weights": [0.5, 0.5, 0.0],
        "lags_seconds": [1.0, 1.4, None],
        "lag_sources": ["calibration clip", "calibration clip", "traces"],
        "flagged": {"RATER_C": "constant"},
        "is_fallback": False,
    }
    return {
        "format": "mavfer.label",
        "version": 1,
        "session": session,
        "name": "gold",
        "method": "model",
        "frames": 300,
        "frames_sha256": "c" * 64,
        "dimensions": {"arousal": about, "valence": about},
        "settings": {"reaction": None},
        "inputs": {f"ratings/{session}/arousal.RATER_A.001.csv": "d" * 64},
        "created_utc": "2026-06-01T10:00:00Z",
        "versions": {"mavfer": "0.1.0"},
    }


def released_file(path, size=1000):
    """A file of a type that its ending tells."""
    kinds = {"h5": "application/x-hdf5", "csv": "text/csv", "jsonl": "application/jsonl"}
    ending = path.rpartition(".")[2]
    return ReleasedFile(path, size, "e" * 64, kinds.get(ending, "application/json"))


def agreement_lines():
    """CCC and ICC of both dimensions, without and with the doubtful rater."""
    return tuple(
        AgreementLine(dimension, raters, statistic, value, value - 0.1, value + 0.1)
        for dimension in ("arousal", "valence")
        for raters, value in (("all", 0.4), ("unflagged", 0.8))
        for statistic in ("ccc", "icc_a_k")
    )


@pytest.fixture
def contents():
    """All that a release can tell; the lab has answered nothing yet."""
    sessions = ("S01-001", "S01-002", "S02-001", "V01-001")
    lines = (
        index_line("S01-001"),
        index_line("S01-002", streams=("color",), carried=0),
        index_line("S02-001", frames=600, valid=600, carried=0),
        index_line("V01-001", kind="simulated"),
    )
    values = ValueSummary(1200, 300, 0.1, 0.4, -0.9, (-0.2, 0.1, 0.3), 0.95)
    paths = ["participants.csv", "shards/index.jsonl", "splits/default.json", "study.json"]
    paths += [f"shards/{session}.h5" for session in sessions]
    paths += ["ratings/S01-001/arousal.RATER_A.001.csv"]
    return Contents(
        study={
            "name": "lab faces",
            "description": "Faces of people who watch films.",
            "licence": "CC-BY-NC-4.0",
            "contact": "data@example.org",
            "dimensions": [
                {"name": name, "low": -1, "high": 1, "low_word": low, "high_word": high}
                for name, low, high in (
                    ("arousal", "calm", "excited"),
                    ("valence", "unpleasant", "pleasant"),
                )
            ],
            "expression_classes": ["neutral", "joy"],
            "retention_until": "2036-12-31",
        },
        version="1.2.0",
        created_utc="2026-07-30T12:00:00Z",
        lines=lines,
        files=tuple(released_file(path) for path in sorted(paths)),
        columns=(
            ColumnSummary("age", values=ValueSummary(2, 1, 30, 5, 25, (27, 30, 33), 35), missing=1),
            ColumnSummary("gender", categories={"f": 1, "m|x": 1}, missing=1),
            ColumnSummary("remark", missing=2),
        ),
        labels=(
            LabelSummary(
                "gold",
                tuple(label_document(session) for session in sessions[:3]),
                values={"arousal": values, "valence": values},
                expressions={"neutral": 700, "joy": 500},
            ),
        ),
        splits=(
            SplitSummary("default", "parts", ({"train": ("S01", "V01"), "test": ("S02",)},)),
            SplitSummary(
                "cross", "folds", ({"test": ("S01",)}, {"test": ("S02",)}, {"test": ("V01",)})
            ),
        ),
        annotation={
            "dimensions": ["arousal", "valence"],
            "mode": "together",
            "scale": "bounded",
            "input": ["pointer", "touch"],
            "streams_shown": ["color"],
            "feedback": "none",
            "practice": {"session": "SECRET9-001", "label": "expert", "pass_ccc": 0.6},
            "calibration_clip": True,
            "hidden_repeats": 0.2,
        },
        ratings=Ratings(3, 18, {"person": 18}, is_included=True),
        agreement=agreement_lines(),
        consents=Consents(
            subjects_by_scope={"record": 2, "rate": 2, "share": 2, "publish_images": 1},
            form_versions={"v3": 2},
            without_record=1,
            publishable=("S02",),
        ),
        left_out=(LeftOut("no consent to share", 2, 5),),
        withdrawals=(Withdrawal("2026-06-15", "subject"),),
        captures=(
            Capture("color", "Cam One", 1280, 720, 30.0, "h264", False, 3),
            Capture("thermal", "Heat 3", 320, 256, 25.0, None, False, 2),
        ),
        calibrations=(
            Calibration("rig-a", "board", 0.31, 1.24, 2),
            Calibration("rig-b", "board", None, None, 1),
        ),
        recorded_months=("2026-03", "2026-05"),
        versions={"mavfer": "0.1.0"},
        landmark_models=("f" * 64,),
        is_plain=False,
    )


@pytest.fixture
def simulated_contents(contents):
    """A release of simulated subjects alone, rated by simulated raters."""
    lines = tuple(index_line(f"V0{n}-001", kind="simulated") for n in (1, 2))
    return replace(
        contents,
        lines=lines,
        consents=Consents({}, {}, 2, ()),
        ratings=Ratings(5, 20, {"simulated": 20}),
        calibrations=(Calibration("sim", "simulated", 0.0, 0.0, 2),),
    )


@pytest.fixture
def answered(contents):
    """The same after the lab answered everything."""
    return replace(contents, answers={key: f"Answer on {key}." for key in QUESTIONS})
