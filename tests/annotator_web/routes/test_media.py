import pytest


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
    ["../study.json", "..%2Fstudy.json", "S01-001.mp4", "%2e%2e/participants.csv", "calibration"],
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
