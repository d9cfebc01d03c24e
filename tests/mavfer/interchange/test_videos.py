"""Importing ordinary videos: real files of many kinds, whole ones and broken ones."""

from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest
from make_videos import make_video, number_of, picture_of, tone_begins

from mavfer.errors import CommandError, InvalidFile, NotFound
from mavfer.interchange.videos import import_videos, read_subjects_table, subjects_from_names
from mavfer.study.hdf5 import open_hdf5, require_valid_hdf5
from mavfer.study.media_writer import writing_media
from mavfer.study.session import Session
from mavfer.study.streams_file import CLOCK_DOMAINS


def _imported(study, path, **options):
    sessions = import_videos(study, [path], subject_of=lambda _: "P1", **options)
    return Session.open(study.session_folder(sessions[-1]))


def _numbers(session):
    return [number_of(frame.rgb()) for frame in session.color_frames()]


def _packets(path):
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(video=0) if packet.size]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("plain.mp4", {}),
        ("b-frames.mp4", {"options": {"bf": "3", "b-adapt": "0"}}),
        ("quick.mov", {"codec": "mpeg4"}),
        ("motion.avi", {"codec": "mjpeg", "layout": "yuvj420p"}),
        ("divx.avi", {"codec": "mpeg4"}),
        ("web.webm", {"codec": "libvpx", "options": {"deadline": "realtime"}}),
        ("web9.webm", {"codec": "libvpx-vp9", "options": {"deadline": "realtime"}}),
        ("matroska.mkv", {}),
        ("ten-bit.mkv", {"layout": "yuv420p10le"}),
        ("gray.mkv", {"layout": "gray"}),
        ("full-color.mp4", {"layout": "yuv444p"}),
        ("lossless.mkv", {"codec": "ffv1", "layout": "yuv422p"}),
    ],
)
def test_whatever_matroska_takes_is_kept_packet_for_packet(study, tmp_path, name, options):
    path = make_video(tmp_path / name, **options)
    session = _imported(study, path)
    color = session.document["streams"]["color"]

    assert _numbers(session) == list(range(24))
    assert color["lossless_copy"] is True
    assert _packets(session.color_path) == _packets(path)
    assert session.document["source"]["file"] == name
    assert session.times("color")["frame_number"].tolist() == list(range(24))
    assert set(session.times("color")["domain"].tolist()) == {CLOCK_DOMAINS["arrival"]}
    with open_hdf5(session.streams_path) as file:
        require_valid_hdf5(file, "streams", session.streams_path)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("animated.gif", {"codec": "gif", "layout": "rgb8"}),
        ("alpha.mov", {"codec": "qtrle", "layout": "argb"}),
        ("windows.wmv", {"codec": "wmv2"}),
    ],
)
def test_what_cannot_be_copied_is_coded_anew_without_loss(study, tmp_path, name, options):
    path = make_video(tmp_path / name, **options)
    session = _imported(study, path)
    with av.open(str(path)) as container:
        source = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    kept = [frame.rgb() for frame in session.color_frames()]

    assert _numbers(session) == list(range(24))
    assert np.array_equal(kept, source)
    if not session.document["streams"]["color"]["lossless_copy"]:
        assert session.document["streams"]["color"]["codec"] == "ffv1"


def test_each_frame_of_a_variable_rate_keeps_its_own_time(study, tmp_path):
    pts = np.cumsum(np.random.default_rng(1).integers(700, 20_000, 40)).tolist()
    path = make_video(tmp_path / "vfr.mp4", pts=pts, time_base=Fraction(1, 90_000))
    session = _imported(study, path)
    wanted = np.rint((np.array(pts) - pts[0]) * (1e9 / 90_000)).astype(np.int64)

    assert np.abs(session.times("color")["host_ns"] - wanted).max() <= 1
    assert _numbers(session) == list(range(40))


@pytest.mark.parametrize(("turn", "clockwise"), [(90, 270), (180, 180), (-90, 90)])
def test_a_turned_video_comes_upright(study, tmp_path, turn, clockwise):
    coded = [np.rot90(picture_of(n), clockwise // 90) for n in range(12)]
    size = coded[0].shape[1], coded[0].shape[0]
    path = make_video(tmp_path / "phone.mp4", 12, size=size, turn=turn, pictures=coded)
    session = _imported(study, path)
    frame = next(iter(session.color_frames()))

    assert session.document["streams"]["color"]["rotation_degrees"] == clockwise
    assert session.size == (64, 48)
    assert _numbers(session) == list(range(12))
    assert frame.gray().shape == (48, 64)
    assert frame.rgb()[4, 4].argmax() == 0  # the reddish corner is on the upper left again


def test_a_mirrored_video_is_refused_with_a_way_out(study, tmp_path):
    path = make_video(tmp_path / "selfie.mp4", flip=True)
    with pytest.raises(InvalidFile, match=r"selfie\.mp4: its player must mirror it. Run: ffmpeg"):
        _imported(study, path)


def test_odd_sizes_are_kept(study, tmp_path):
    path = make_video(tmp_path / "odd.mkv", layout="yuv444p", size=(65, 49))
    session = _imported(study, path)
    frame = next(iter(session.color_frames()))

    assert session.size == (65, 49)
    assert frame.rgb().shape == (49, 65, 3)
    assert frame.gray().shape == (49, 65)


def test_sound_is_kept_in_step_up_to_the_media_of_raters(study, tmp_path):
    path = make_video(tmp_path / "talk.mp4", 45, tone_seconds=0.7, tone_starts=0.5)
    session = _imported(study, path)
    media = study.media_path(session.name)
    with writing_media(
        media,
        session=session.name,
        host_ns=session.times("color")["host_ns"],
        size=session.size,
        sound_from=session.sound_path,
        session_sha256="0" * 64,
    ) as writer:
        for frame in session.color_frames():
            writer.write(frame)

    assert session.document["streams"]["color"]["has_audio"] is True
    assert tone_begins(path) == pytest.approx(0.5, abs=0.03)
    assert tone_begins(session.color_path) == pytest.approx(tone_begins(path), abs=0.005)
    assert tone_begins(media) == pytest.approx(tone_begins(path), abs=0.03)


def test_sound_is_left_out_on_request(study, tmp_path):
    path = make_video(tmp_path / "talk.mp4", tone_seconds=0.5)
    session = _imported(study, path, keep_audio=False)

    assert session.sound_path is None
    with av.open(str(session.color_path)) as container:
        assert not container.streams.audio


def _text(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("not a video\n" * 200)
    return path


def _playlist(tmp_path):
    path = tmp_path / "list.mp4"
    secret = make_video(tmp_path / "other.mp4")
    path.write_text(f"#EXTM3U\n#EXTINF:1,\n{secret}\n")
    return path


def _sound_alone(tmp_path):
    path = tmp_path / "sound.mka"
    with av.open(str(path), "w", format="matroska") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        block = np.zeros((1, 8000), np.int16)
        frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
    return path


def _cut(path, share):
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    return path


def _noise(count=30):
    random = np.random.default_rng(0)
    return [random.integers(0, 255, (48, 64, 3), dtype=np.uint8) for _ in range(count)]


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (_text, "cannot be opened as a video"),
        (_playlist, "cannot be opened as a video"),
        (_sound_alone, "holds no video stream"),
        (lambda p: _cut(make_video(p / "late.mp4", pictures=_noise()), 0.7), "cannot be opened"),
        (
            lambda p: _cut(
                make_video(p / "early.mp4", pictures=_noise(), muxer={"movflags": "+faststart"}),
                0.7,
            ),
            "cut off; .* of its frames lie behind its end",
        ),
        (
            lambda p: _cut(make_video(p / "cut.mkv", 90, pictures=_noise(90)), 0.6),
            r"cut off; ends 1\.\d\d s before",
        ),
        (
            lambda p: _cut(make_video(p / "cut.avi", pictures=_noise(), codec="mjpeg",
                                      layout="yuvj420p"), 0.6),
            "cut off",
        ),
        (lambda p: p / "nowhere.mp4", "no such file"),
    ],
)  # fmt: skip
def test_what_is_not_a_whole_video_is_refused_and_leaves_nothing(study, tmp_path, make, reason):
    path = make(tmp_path)
    with pytest.raises((InvalidFile, NotFound), match=reason):
        _imported(study, path)

    assert [p.name for p in study.sessions_folder.iterdir() if p.name != ".lock"] == []
    assert study.participants()["subject"] == []


def test_stamps_that_stand_still_are_refused_when_there_are_many(study, tmp_path):
    stamps = [0, 33, 33, 33, 66, 66, 99, 132, 165, 198]
    path = make_video(tmp_path / "still.mkv", 10, codec="mjpeg", layout="yuvj420p",
                      time_base=Fraction(1, 1000), muxed_pts=stamps)  # fmt: skip
    with pytest.raises(
        InvalidFile, match="frames have no stamp, or one that is equal to or before"
    ):
        _imported(study, path)


def test_a_stamp_that_stands_still_is_set_between_its_neighbours(study, tmp_path):
    stamps = [0, 33, 33, 99, *range(132, 132 + 33 * 26, 33)]
    path = make_video(tmp_path / "still.mkv", 30, codec="mjpeg", layout="yuvj420p",
                      time_base=Fraction(1, 1000), muxed_pts=stamps)  # fmt: skip
    session = _imported(study, path)

    assert session.document["source"]["repaired_stamps"] == 1
    assert session.times("color")["host_ns"][:5].tolist() == [0, 33e6, 66e6, 99e6, 132e6]


def test_files_after_a_refused_one_are_not_imported_and_those_before_it_stay(study, tmp_path):
    good, later = make_video(tmp_path / "good.mp4"), make_video(tmp_path / "later.mp4")
    seen = []
    with pytest.raises(InvalidFile, match=r"notes\.txt"):
        import_videos(
            study,
            [good, _text(tmp_path), later],
            subject_of=lambda _: "P1",
            progress=lambda path, session: seen.append((path.name, session)),
        )

    assert seen == [("good.mp4", "P1-001")]
    assert study.sessions() == ["P1-001"]
    assert study.participants()["subject"] == ["P1"]


def test_a_subject_code_that_cannot_be_is_told_before_any_work(study, tmp_path):
    path = make_video(tmp_path / "good.mp4")
    with pytest.raises(CommandError, match="not a subject code"):
        import_videos(study, [path], subject_of=lambda _: "Ann Other")

    assert study.sessions() == []


def test_each_file_gets_a_code_of_its_own(tmp_path):
    names = ["a clip.mp4", "a-clip.mov", "äö.mp4", "x" * 50 + ".mp4", "x" * 50 + ".avi"]
    codes = list(subjects_from_names([tmp_path / name for name in names]).values())

    assert codes == ["a_clip", "a_clip_2", "video", "x" * 32, "x" * 30 + "_2"]


def test_a_table_names_the_subjects(tmp_path):
    table = tmp_path / "subjects.csv"
    table.write_text("file,subject\na.mp4,S01\nb.mp4,S02\n")
    files = [tmp_path / "b.mp4", tmp_path / "a.mp4"]

    assert list(read_subjects_table(table, files).values()) == ["S02", "S01"]
    with pytest.raises(InvalidFile, match=r"no row with a subject for c\.mp4"):
        read_subjects_table(table, [tmp_path / "c.mp4"])
    table.write_text("name,subject\n")
    with pytest.raises(InvalidFile, match="needs the columns file and subject, has name, subject"):
        read_subjects_table(table, files)


@pytest.mark.real_media
def test_the_real_clip_has_72_frames(study, real_media):
    session = _imported(study, real_media / "real_face_640x360_30fps.mp4")

    assert sum(1 for _ in session.color_frames()) == 72
    assert session.document["streams"]["color"]["lossless_copy"] is True
    assert session.size == (640, 360)
    assert session.times("color")["host_ns"][-1] == pytest.approx(71 * 1e9 / 30, abs=2)
