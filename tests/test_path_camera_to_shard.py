"""From the simulated camera to the shard: what comes out is what was there."""

import re
import subprocess

import av
import cv2
import numpy as np
import pytest
from journey import BRIGHT, DARK, SECONDS, shift_between, true_crops

import mavfer
from mavfer.cli import run
from mavfer.files import read_json
from mavfer.study.session import Session
from mavfer.study.study import Study
from mavfer.vision.mean_face import STABLE_POINTS
from mavfer.vision.validity import Reason, Valid

LIGHTS_OUT_SECONDS = 1.5


def every(recording, step):
    return [int(i) for i in np.flatnonzero(recording.usable)[::step]]


def test_every_color_frame_has_a_row_and_a_media_frame(journey):
    study = Study.open(journey.root)
    for rec in journey.dataset:
        stamps = len(Session.open(study.session_folder(rec.session)).times("color"))
        table = read_json(study.media_table_path(rec.session))
        with av.open(str(study.media_path(rec.session))) as media:
            shown = [frame.pts for frame in media.decode(video=0)]

        assert len(rec) == stamps == table["frames"] == len(shown)
        assert shown == table["pts"]
        assert np.abs(np.array(shown) / 90_000 - rec.time_seconds).max() < 2e-5


def test_the_study_is_valid(journey, capsys):
    assert run(["check", str(journey.root)]) == 0
    assert capsys.readouterr().out == "valid: 2 sessions, 2 shards\n"


def test_the_face_is_found_in_every_bright_frame(journey):
    rec = journey.dataset[BRIGHT]

    assert rec.usable.mean() >= 0.99
    assert not rec.carried.any()
    assert (rec.column("n_faces") == 1).all()


def test_the_head_is_carried_by_depth_once_the_light_is_out(journey):
    rec = journey.dataset[DARK]
    is_dark = rec.time_seconds > LIGHTS_OUT_SECONDS + 0.2
    carried = rec.column("valid")[rec.carried]

    assert not rec.carried[rec.time_seconds < LIGHTS_OUT_SECONDS - 0.2].any()
    assert rec.carried[is_dark].mean() >= 0.95
    assert (rec.column("reason")[is_dark & rec.carried] >= Reason.NO_DEPTH).all()
    assert (carried & Valid.DEPTH).all()
    assert np.nanmax(rec.column("quality")["carry_residual_mm"]) < 3


@pytest.mark.parametrize(("session", "median", "worst"), [(BRIGHT, 1.5, 3), (DARK, 3, 8)])
def test_the_crop_stays_on_the_face(journey, session, median, worst):
    """In % of the distance of the outer eye corners; dark frames by the carried head."""
    rec, members = journey.dataset[session], journey.truth(session).members
    true = members["/color/landmarks"][~members["/color/dropped"]]
    apart = (rec.landmarks - true)[:, list(STABLE_POINTS)].mean(axis=1)
    eyes = np.linalg.norm(true[:, 36] - true[:, 45], axis=1)
    percent = 100 * np.linalg.norm(apart, axis=1) / eyes

    assert np.nanmedian(percent) <= median
    assert np.nanpercentile(percent, 95) <= worst


@pytest.mark.parametrize("session", [BRIGHT, DARK])
def test_depth_lands_on_the_face(journey, session):
    rec = journey.dataset[session]
    errors_mm, shifts = [], []
    for frame, true in true_crops(journey, session, every(rec, 8)).items():
        depth = rec.depth[frame].astype(np.float32)
        known = true.hull & (depth > 0)
        errors_mm.append(np.median(np.abs(depth - true.depth_mm)[known]))
        shifts.append(shift_between(depth, true.depth_mm, true.hull, depth > 0, limit=3.0))

    assert np.median(errors_mm) <= 2
    assert np.median(shifts) <= 1


@pytest.mark.parametrize("session", [BRIGHT, DARK])
def test_temperatures_land_on_the_face(journey, session):
    rec = journey.dataset[session]
    errors, shifts = [], []
    for frame, true in true_crops(journey, session, every(rec, 8)).items():
        raw = rec.thermal[frame]
        celsius = raw / 100 - 273.15
        errors.append(np.median(np.abs(celsius - true.celsius)[true.hull & (raw > 0)]))
        shifts.append(shift_between(celsius, true.celsius, true.hull, raw > 0, limit=0.6))

    assert np.median(errors) <= 0.15
    assert np.median(shifts) <= 1


def test_the_measure_of_shifts_sees_a_shift(journey):
    frames = every(journey.dataset[BRIGHT], 8)
    true = true_crops(journey, BRIGHT, frames)[frames[2]]
    moved = cv2.warpAffine(true.depth_mm, np.float32([[1, 0, 1.5], [0, 1, 0]]), (224, 224))

    found = shift_between(moved, true.depth_mm, true.hull, moved > 0, limit=3.0)

    assert found == pytest.approx(1.5, abs=0.2)


def test_clocks_are_brought_together(journey):
    """All streams share the cameras' least delay, so only its differences may remain."""
    for rec in journey.dataset:
        members = journey.truth(rec.session).members
        late = rec.host_ns - members["/color/true_ns"][~members["/color/dropped"]]

        assert np.ptp(late) < 0.5e6
        assert (np.abs(rec.column("depth_gap_ns")) <= 38.4e6).all()
        assert rec.time_seconds[-1] == pytest.approx(SECONDS, abs=0.2)


def test_preprocessing_again_changes_nothing(journey, capsys):
    shards = sorted((journey.root / "shards").glob("*.h5"))
    before = [path.stat().st_mtime_ns for path in shards]

    assert run(["preprocess", str(journey.root)]) == 0
    assert "0 sessions preprocessed, 2 up to date, 0 failed" in capsys.readouterr().out
    assert [path.stat().st_mtime_ns for path in shards] == before


def test_a_reader_of_ten_lines_sees_the_same_pixels(journey):
    """The reader of docs/shard_format.md, on a shard of the whole journey."""
    page = (journey_docs() / "shard_format.md").read_text()
    reader = re.search(r"```python\n(.*?def read_.*?)```", page, re.DOTALL)[1]
    names = {}
    exec(reader, names)
    read = next(value for key, value in names.items() if key.startswith("read_"))
    rec = journey.dataset[DARK]

    for stream in ("color", "depth", "thermal"):
        pixels = read(str(rec.shard.path), stream)
        assert np.array_equal(pixels, rec.stream(stream)[:])


def journey_docs():
    from pathlib import Path

    return Path(mavfer.__file__).parent.parent / "docs"


@pytest.fixture(scope="module")
def report(journey):
    from mavfer.report import write_report

    return write_report(journey.root)


def test_the_report_loads_nothing_from_anywhere(report):
    text = report.read_text()
    loaded = re.findall(r'(?:src|href|url)\s*[=(]\s*["\']?([^"\')\s>]+)', text)

    assert "<script" not in text
    assert loaded
    assert {target[:5] for target in loaded if not target.startswith("#")} == {"data:"}


def test_the_report_shows_its_pictures_in_a_browser(report, tmp_path):
    picture = tmp_path / "page.png"
    subprocess.run(
        [
            *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
            *("--disable-background-networking", "--disable-sync", "--no-first-run"),
            *(f"--user-data-dir={tmp_path}", f"--screenshot={picture}", "--window-size=1000,1600"),
            report.as_uri(),
        ],
        check=True,
        capture_output=True,
        timeout=60,
    )
    page = cv2.imread(str(picture))
    colorful = (np.ptp(page.astype(int), axis=2) > 60).mean()

    assert page.shape == (1600, 1000, 3)
    assert colorful > 0.1


def test_the_contact_sheet_has_a_row_a_stream(journey, tmp_path):
    path = tmp_path / "sheet.png"

    assert run(["info", str(journey.root), "--contact-sheet", str(path)]) == 0
    sheet = cv2.imread(str(path))
    assert sheet.shape[1] == 92 + 8 * 116 + 2 * 24  # names, eight frames, margins
    assert 7 < sheet.shape[0] / 116 < 9.5  # three rows bright, four dark, and what is written


def test_a_picture_of_an_unknown_kind_is_refused(journey, tmp_path, capsys):
    assert run(["info", str(journey.root), "--contact-sheet", str(tmp_path / "sheet.xyz")]) == 1
    assert "'.xyz': pictures cannot be written with this ending" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
