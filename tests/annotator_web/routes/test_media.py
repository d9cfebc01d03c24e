import shutil

import pytest
from annotated_study import Rater, make_study

from annotator_web.app import close_app, create_app
from annotator_web.project import open_project


@pytest.fixture
def video(study):
    return study.media_path("S01-001").read_bytes()


def test_a_range_is_answered_with_that_range(rater, video):
    answer = rater.get("/media/S01-001", Range="bytes=100-199")

    assert answer.status_code == 206
    assert answer.data == video[100:200]
    assert answer.headers["Content-Range"] == f"bytes 100-199/{len(video)}"
    assert answer.headers["Cache-Control"] == "private, no-store"


@pytest.mark.parametrize(
    ("asked", "part"), [("bytes=50-", slice(50, None)), ("bytes=-50", slice(-50, None))]
)
def test_open_ranges_are_understood(rater, video, asked, part):
    answer = rater.get("/media/S01-001", Range=asked)

    assert (answer.status_code, answer.data) == (206, video[part])


def test_without_a_range_all_of_it_comes(rater, video):
    with rater.get("/media/S01-001") as answer:
        assert (answer.status_code, answer.data) == (200, video)
        assert answer.headers["Accept-Ranges"] == "bytes"
        assert answer.mimetype == "video/mp4"


def test_a_long_range_is_cut_so_that_no_thread_is_held(rater, study):
    path = study.media_path("S01-001")
    path.write_bytes(b"x" * (3 << 20))

    answer = rater.get("/media/S01-001", Range="bytes=0-")

    assert answer.headers["Content-Range"] == f"bytes 0-{(2 << 20) - 1}/{3 << 20}"


def test_a_range_of_another_version_brings_all_of_it(rater, video):
    with rater.get("/media/S01-001", **{"Range": "bytes=0-9", "If-Range": '"other"'}) as answer:
        assert (answer.status_code, answer.data) == (200, video)


def test_a_range_beyond_the_end_is_refused(rater, video):
    answer = rater.get("/media/S01-001", Range=f"bytes={len(video)}-")

    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == f"bytes */{len(video)}"


@pytest.mark.parametrize(
    "session",
    [
        *["../study.json", "..%2Fstudy.json", "S01-001.mp4", "%2e%2e/participants.csv"],
        *["calibration", "shown", "S01-001%00", "S01-001%0a", "%5c..%5cstudy", ".", "%2e", "~root"],
        *["S01-001/", "S01-001/frames/", "/etc/passwd", "%2fetc%2fpasswd", "%ff%fe", "S" * 9_000],
    ],
)
def test_nothing_but_media_can_be_reached(rater, session):
    assert rater.get(f"/media/{session}").status_code == 404


def test_the_times_of_the_frames_are_those_of_the_media(rater):
    times = rater.get("/media/S01-001/frames").json["pts_seconds"]

    assert len(times) == 25
    assert times == pytest.approx([frame / 25 for frame in range(25)])


def test_media_that_went_away_are_told_of_in_one_line(rater, study):
    take = rater.begin()
    study.media_path("S01-001").unlink()

    assert rater.get("/media/S01-001").status_code == 404
    assert rater.get(f"/api/v1/takes/{take}").status_code == 200


@pytest.mark.parametrize(
    ("header", "status"),
    [
        ('"{tag}"', 206),
        ('W/"{tag}"', 200),
        ("{tag}", 200),
        ("Sat, 01 Jan 2050 00:00:00 GMT", 200),
    ],
)
def test_a_range_is_answered_where_the_condition_names_this_version(rater, header, status):
    tag = rater.get("/media/S01-001", Range="bytes=0-0").headers["ETag"].strip('"')
    condition = header.format(tag=tag)

    with rater.get("/media/S01-001", **{"Range": "bytes=0-9", "If-Range": condition}) as answer:
        assert (answer.status_code, len(tag)) == (status, 64)


def test_the_head_of_a_video_says_its_length_and_holds_nothing(rater, video):
    with rater.client.head("/media/S01-001", headers=rater.headers) as answer:
        assert (answer.status_code, answer.data) == (200, b"")
        assert answer.headers["Content-Length"] == str(len(video))


@pytest.mark.parametrize("asked", ["bytes=0-9,20-29", "bytes=z", "lines=0-9", "bytes=9-0"])
def test_ranges_that_are_none_bring_all_of_it(rater, video, asked):
    with rater.get("/media/S01-001", Range=asked) as answer:
        assert (answer.status_code, answer.data) == (200, video)


def test_streams_side_by_side_are_served_or_refused_with_the_command(tmp_path):
    shown = {"streams_shown": ["color", "thermal"]}
    study = make_study(tmp_path / "study", ["S01-001"], annotation=shown)
    path = open_project(study).side_by_side_path("S01-001", ("color", "thermal"))
    path.parent.mkdir()
    shutil.copy(study.media_table_path("S01-001"), path.with_suffix(".json"))
    path.write_bytes(b"side by side")
    app = create_app(study)
    try:
        rater = Rater(app, "R1")
        served = rater.get("/media/S01-001", Range="bytes=0-3")
        path.unlink()
        refused = rater.get("/media/S01-001")
    finally:
        close_app(app)

    assert (served.status_code, served.data) == (206, b"side")
    assert (refused.status_code, refused.json["error"]["code"]) == (409, "not_prepared")
    assert "mavfer annotate prepare" in refused.json["error"]["hint"]
    assert str(tmp_path) not in refused.text


def test_a_torn_table_is_refused_without_a_path(rater, study):
    study.media_table_path("S01-001").write_text("{")

    refused = [rater.get(path) for path in ("/media/S01-001", "/media/S01-001/frames")]

    assert [(r.status_code, r.json["error"]["code"]) for r in refused] == [
        (409, "media_damaged")
    ] * 2
    assert str(study.root) not in refused[0].text + refused[1].text
