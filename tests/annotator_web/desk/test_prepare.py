import json
import sys
from pathlib import Path

import numpy as np
import pytest
from annotated_study import ANNOTATION, write_media

import mavfer
from annotator_web.desk.prepare import prepare
from annotator_web.desk.side_by_side import SideBySide
from annotator_web.project import open_project
from mavfer.cli import run
from mavfer.errors import CommandError, NotFound
from mavfer.files import read_json, write_json
from mavfer.study.study import Study
from mavfer.study.video_reader import read_video

sys.path.insert(0, str(Path(__file__).parents[2] / "mavfer"))

import shard_factory

FRAMES = 40
ALL = ("color", "depth", "thermal")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A session with three streams and one with color alone, with shards and media."""
    root = tmp_path_factory.mktemp("prepared") / "study"
    sessions = {"S01-001": {}, "S02-001": {"streams": ("color",)}}
    study = shard_factory.make_study(root, sessions, height=48, width=48)
    host_ns = shard_factory.columns(FRAMES)["host_ns"]
    for session in sessions:
        study.session_folder(session).mkdir(parents=True)
        write_media(study, session, host_ns + np.arange(FRAMES) % 3 * 4_000_000)
    write_json(root / "annotation.json", {**ANNOTATION, "sessions": [*sessions]})
    return study


def shown(study, session="S01-001"):
    return open_project(study).side_by_side_path(session, ALL)


def test_frame_for_frame_it_shows_the_streams_at_the_times_of_the_media(made):
    done = prepare(open_project(made), ALL)
    pictures = [frame.rgb() for frame in read_video(shown(made))]
    table = read_json(shown(made).with_suffix(".json"))
    recording = next(r for r in mavfer.load(made.root, labels=None) if r.session == "S01-001")
    composed = SideBySide(recording, ALL).pictures(range(FRAMES))
    color = composed[:, :, :48].astype(int)

    assert sorted(done.made) == ["S01-001", "S02-001"]
    assert composed.shape == (FRAMES, 48, 144, 3)
    assert table["pts"] == read_json(made.media_table_path("S01-001"))["pts"]
    assert len(pictures) == FRAMES
    assert np.array_equal(color, recording.color[:])
    assert np.abs(np.array(pictures, int) - composed).mean() < 12


def test_near_and_warm_are_light_and_what_was_not_measured_is_dark(made):
    recording = next(r for r in mavfer.load(made.root, labels=None) if r.session == "S01-001")
    (picture,) = SideBySide(recording, ALL).pictures(range(5, 6))
    depth, thermal = picture[:, 48:96].sum(axis=2), picture[:, 96:].sum(axis=2)
    is_missing = recording.depth[5] == 0

    assert depth[20:28, 20:28][~is_missing[20:28, 20:28]].min() > depth[is_missing].max()
    assert thermal[20:28, 20:28].mean() > thermal[:4, :4].mean()


def test_what_is_made_is_kept_until_its_shard_or_media_changes(made):
    prepare(open_project(made), ALL)
    again = prepare(open_project(made), ALL, jobs=2)
    host_ns = shard_factory.columns(FRAMES)["host_ns"]
    write_media(made, "S02-001", host_ns)
    changed = prepare(open_project(made), ALL)

    assert again.made == []
    assert sorted(again.kept) == ["S01-001", "S02-001"]
    assert changed.made == ["S02-001"]
    assert not list(shown(made).parent.glob("*.part"))


def test_sessions_that_fail_are_told_and_do_not_stop_the_others(made, tmp_path, capsys):
    import shutil

    study = Study.open(Path(shutil.copytree(made.root, tmp_path / "study")))
    write_media(study, "S01-001", np.arange(9) * 40_000_000)
    status = run(["annotate", "prepare", str(study.root), "--streams", "thermal,color", "--json"])
    told = capsys.readouterr()

    assert status == 1
    assert json.loads(told.out)["made"] == ["S02-001"]
    assert "S01-001: failed: session S01-001: the shard has 40 frames and the media 9" in told.err


def test_raters_see_what_was_prepared_and_nothing_is_served_before(made, tmp_path):
    import shutil

    study = Study.open(Path(shutil.copytree(made.root, tmp_path / "study")))
    document = {**read_json(study.root / "annotation.json"), "streams_shown": list(ALL)}
    write_json(study.root / "annotation.json", document)
    shutil.rmtree(shown(study).parent, ignore_errors=True)
    project = open_project(study)

    with pytest.raises(NotFound, match="Run: mavfer annotate prepare"):
        project.shown_media("S01-001")
    prepare(project)
    path, sha256 = project.shown_media("S01-001")

    assert path == shown(study)
    assert sha256 == read_json(path.with_suffix(".json"))["video_sha256"]


def test_color_alone_needs_nothing(made):
    with pytest.raises(CommandError, match="nothing to prepare"):
        prepare(open_project(made))


@pytest.mark.parametrize("streams", ["colour", "color,color", "color,"])
def test_streams_are_named_rightly(made, streams, capsys):
    assert run(["annotate", "prepare", str(made.root), "--streams", streams]) == 2
    assert "name some of color, depth, thermal" in capsys.readouterr().err
