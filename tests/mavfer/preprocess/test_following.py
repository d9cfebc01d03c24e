"""Sessions with several people in the picture: whose face is cut out, and what is hidden."""

from __future__ import annotations

import shutil
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "vision"))
from filming import group, place

from mavfer.cli import run
from mavfer.preprocess import Options, preprocess_study
from mavfer.study.shards import Shard
from mavfer.study.study import Study
from mavfer.study.video_reader import read_video
from mavfer.vision.faces import FaceFinder

SESSION = "S01-001"
FRAMES, COMES, GOES = 210, 148, 190
"""Somebody else comes when the first stretch of frames is finished already."""
ALONE = 30
SUBJECT, OTHER = (200, 180), (470, 170)


def heads(frame):
    """The subject, who sways a little, and somebody smaller who comes and goes."""
    own = place(SUBJECT[0] + 10 * np.sin(frame / 9), SUBJECT[1], scale=1.5)
    other = place(OTHER[0], OTHER[1] + 8 * np.cos(frame / 7), scale=1.1)
    return [(other, True), (own, False)] if COMES <= frame < GOES else [(own, False)]


def imported_film(folder, frames):
    """A study with the first frames of the film."""
    with av.open(str(folder / "S01.mp4"), "w") as container:
        stream = container.add_stream(
            "libx264", rate=30, options={"crf": "16", "preset": "ultrafast"}
        )
        stream.width, stream.height, stream.pix_fmt = 640, 360, "yuv420p"
        for number in range(frames):
            gray = group(heads(number), number)
            frame = av.VideoFrame.from_ndarray(np.stack([gray] * 3, axis=2), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 30)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    root = folder / "study"
    assert run(["init", str(root)]) == 0
    assert run(["import-video", str(folder / "S01.mp4"), str(root)]) == 0
    return Study.open(root)


@pytest.fixture(scope="module")
def crowded(tmp_path_factory):
    return imported_film(tmp_path_factory.mktemp("crowded"), FRAMES)


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """A second of the subject alone."""
    return imported_film(tmp_path_factory.mktemp("alone"), ALONE)


@pytest.fixture(scope="module")
def made(crowded, tmp_path_factory):
    study = Study.open(shutil.copytree(crowded.root, tmp_path_factory.mktemp("made") / "study"))
    assert preprocess_study(study.root, Options()).is_good
    return study


def centres(shard):
    """Where the subject's face is, (T, 2)."""
    return shard.column("landmarks").mean(axis=1)


def faces_in(path, first, stop):
    """Faces that the detector finds in each frame of a video."""
    finder = FaceFinder()
    return [len(finder.find(f.gray())) for f in read_video(path) if first <= f.index < stop]


def test_the_subject_is_who_was_there_all_the_time(made):
    shard = Shard(made.shard_path(SESSION))
    apart = np.hypot(*(centres(shard) - SUBJECT).T)
    subject, *others = sorted(shard.documents()["tracks"], key=lambda t: not t["is_subject"])

    assert np.isfinite(apart).all()
    assert apart.max() < 60
    assert (subject["first"], subject["last"]) == (0, FRAMES - 1)
    assert [other["is_subject"] for other in others] == [False]
    assert COMES <= others[0]["first"] < COMES + 35
    assert GOES - 5 < others[0]["last"] < GOES + 5


def test_raters_do_not_see_the_others(made):
    media = made.media_path(SESSION)
    followed = next(
        track for track in Shard(made.shard_path(SESSION)).documents()["tracks"]
        if not track["is_subject"]
    )  # fmt: skip
    seen = faces_in(made.session_folder(SESSION) / "color.mkv", COMES + 5, GOES)
    shown = faces_in(media, max(COMES, followed["first"] - 30), GOES)

    assert np.median(seen) == 2
    assert set(shown) == {1}


def test_frames_of_the_subject_alone_are_left_as_they_are(made):
    pairs = zip(
        read_video(made.session_folder(SESSION) / "color.mkv"),
        read_video(made.media_path(SESSION)), strict=True,
    )  # fmt: skip
    changes = [np.abs(a.gray().astype(int) - b.gray()) for a, b in pairs]
    corner = (slice(120, 220), slice(430, 510))

    assert changes[10][corner].mean() < 4
    assert changes[180][corner].mean() > 6


def test_a_click_makes_somebody_else_the_subject(made, tmp_path):
    study = Study.open(shutil.copytree(made.root, tmp_path / "study"))
    place_ = f"{SESSION}={OTHER[0]},{OTHER[1]}@180"
    code = run(["preprocess", str(study.root), "--subject", place_])
    shard = Shard(study.shard_path(SESSION))
    found = np.isfinite(centres(shard)).all(axis=1)

    assert code == 0
    assert np.flatnonzero(found)[0] >= COMES
    assert np.hypot(*(centres(shard)[found] - OTHER).T).max() < 60
    assert preprocess_study(study.root, Options()).results[0].state == "skipped"


def test_a_click_on_nobody_says_who_was_where(alone, tmp_path, capsys):
    study = Study.open(shutil.copytree(alone.root, tmp_path / "study"))
    code = run(["preprocess", str(study.root), "--subject", f"{SESSION}=20,340"])
    told = capsys.readouterr().err

    assert code == 1
    assert f"{SESSION}: failed: " in told
    assert not study.shard_path(SESSION).exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("S01-001", "must be SESSION=X,Y"),
        ("S01-001=9,9,9,9", "must be SESSION=X,Y"),
        ("S01-001=9000,10", "is not in its color frames of 640x360"),
        ("S09-001=9,10", "no session here"),
    ],
)
def test_a_place_that_cannot_be_is_refused(crowded, capsys, words, message):
    assert run(["preprocess", str(crowded.root), "--subject", words]) != 0
    assert message in capsys.readouterr().err


def test_nothing_but_the_head_is_left_on_demand(alone, tmp_path):
    crops = {}
    for is_blank in (False, True):
        study = Study.open(shutil.copytree(alone.root, tmp_path / f"study-{is_blank}"))
        options = Options(blank_background=is_blank, media=False)
        assert preprocess_study(study.root, options).is_good
        crops[is_blank] = Shard(study.shard_path(SESSION)).read("color", range(20, 21))[0]
    plain, crop = crops[False], crops[True]

    assert not crop[:, :8].any()
    assert not crop[-8:, :8].any()
    np.testing.assert_array_equal(crop[90:140, 90:140], plain[90:140, 90:140])
