import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mavfer.errors import CommandError
from mavfer.vision.subject import Click, TrackSummary, choose_subject

SHAPE = (480, 640)


def track(number, first, last, *, x=320.0, width=100.0, depth_mm=np.nan):
    """A face that stays where it is, from the first to the last frame."""
    frames = np.arange(first, last + 1)
    boxes = np.tile([x, 240.0, width], (len(frames), 1))
    return TrackSummary(
        number,
        frames,
        boxes.astype(np.float32),
        np.ones(len(frames), np.float32),
        np.full(len(frames), depth_mm, np.float32),
    )


def test_without_a_face_there_is_no_subject():
    assert choose_subject([], SHAPE).subject == ()
    assert choose_subject([], SHAPE).reason == "no face was seen"


def test_the_only_person_is_the_subject():
    choice = choose_subject([track(0, 0, 99)], SHAPE)

    assert choice.subject == (0,)
    assert choice.others == ()
    assert choice.reason == "the person of track 0 is the only person seen"


def test_who_comes_back_after_darkness_is_the_same_person():
    tracks = [track(0, 0, 99), track(1, 400, 499, x=350), track(2, 510, 600, x=330, width=110)]
    choice = choose_subject(tracks, SHAPE)

    assert choice.subject == (0, 1, 2)
    assert choice.reason == "the person of tracks 0, 1 and 2 is the only person seen"


def test_two_people_who_come_back_are_told_apart_by_place():
    tracks = [
        track(0, 0, 99, x=200),
        track(1, 0, 99, x=340),
        track(2, 150, 300, x=320),
        track(3, 150, 299, x=210),
    ]

    assert choose_subject(tracks, SHAPE, clicked=Click(0, 200, 240, None)).subject == (0, 3)
    assert choose_subject(tracks, SHAPE, clicked=Click(0, 340, 240, None)).subject == (1, 2)


@pytest.mark.parametrize(
    "later",
    [
        track(1, 200, 300, x=600),
        track(1, 200, 300, width=60),
        track(1, 200, 300, depth_mm=1100),
        track(1, 50, 300),
    ],
    ids=["elsewhere", "smaller", "behind", "at the same time"],
)
def test_somebody_else_is_not_joined(later):
    choice = choose_subject([track(0, 0, 99, depth_mm=620), later], SHAPE)

    assert len(choice.subject) == 1
    assert len(choice.others) == 1


def test_who_is_there_longest_wins():
    choice = choose_subject(
        [track(0, 0, 999, width=80), track(1, 100, 300, x=500, width=150)], SHAPE
    )

    assert choice.subject == (0,)
    assert choice.others == (1,)
    assert choice.reason == "the person of track 0 is there longest (1000 frames) of 2 people"


def test_of_those_who_stay_the_nearest_wins():
    far, near = track(0, 0, 999, width=90, depth_mm=1400), track(1, 0, 700, x=450, depth_mm=620)
    choice = choose_subject([far, near], SHAPE)

    assert choice.subject == (1,)
    assert "nearest to the camera" in choice.reason


def test_without_depth_the_largest_wins_and_then_the_most_central():
    small, large = track(0, 0, 99, x=300, width=70), track(1, 0, 99, x=520, width=120)
    left, middle = track(2, 0, 99, x=120), track(3, 0, 99, x=330)

    assert choose_subject([small, large], SHAPE).subject == (1,)
    assert "largest face" in choose_subject([small, large], SHAPE).reason
    assert choose_subject([left, middle], SHAPE).subject == (3,)
    assert "nearest to the middle" in choose_subject([left, middle], SHAPE).reason


def test_of_people_who_are_alike_one_is_chosen_all_the_same():
    choice = choose_subject([track(0, 0, 99, x=220), track(1, 0, 109, x=420)], SHAPE)

    assert choice.subject == (1,)
    assert "nothing else parts them" in choice.reason


def test_a_click_decides_against_all_else():
    tracks = [track(0, 0, 999), track(1, 500, 540, x=560, width=60)]

    clicked = choose_subject(tracks, SHAPE, clicked=Click(520, 570, 250, None))
    drawn = choose_subject(tracks, SHAPE, clicked=Click(520, 550, 250, 90))
    anywhen = choose_subject(tracks, SHAPE, clicked=Click(None, 570, 250, None))

    assert clicked.subject == drawn.subject == anywhen.subject == (1,)
    assert clicked.reason == "the person of track 1 was pointed at"


def test_a_click_takes_the_persons_other_tracks_along():
    tracks = [track(0, 0, 99), track(1, 0, 300, x=560), track(2, 150, 300)]

    assert choose_subject(tracks, SHAPE, clicked=Click(200, 320, 230, None)).subject == (0, 2)


@pytest.mark.parametrize("width", [None, 40.0])
def test_a_click_on_nobody_tells_who_was_where(width):
    tracks = [track(0, 0, 99), track(1, 50, 120, x=500, width=60)]

    with pytest.raises(
        CommandError,
        match=r"\(30, 30\) in frame 70 is on nobody: there are the person of track 0 at \(320, 240"
        r"\), 100 pixels wide; the person of track 1 at \(500, 240\), 60 pixels wide\. Point",
    ):
        choose_subject(tracks, SHAPE, clicked=Click(70, 30, 30, width))


def test_a_click_when_nobody_is_there_tells_when_somebody_is():
    with pytest.raises(CommandError, match=r"nobody was seen there.*track 0 in frames 0 to 99"):
        choose_subject([track(0, 0, 99)], SHAPE, clicked=Click(200, 320, 240, None))
    with pytest.raises(CommandError, match="no face was seen"):
        choose_subject([], SHAPE, clicked=Click(None, 320, 240, None))


def test_a_click_beside_the_frame_is_refused():
    with pytest.raises(CommandError, match=r"outside of the frame, which is 640 x 480"):
        choose_subject([track(0, 0, 99)], SHAPE, clicked=Click(0, 700, 100, None))


spans = st.lists(
    st.tuples(st.integers(0, 200), st.integers(1, 80), st.floats(50, 590), st.floats(40, 160)),
    min_size=1,
    max_size=7,
)


@settings(max_examples=60, deadline=None)
@given(spans)
def test_the_subject_is_never_in_two_places_and_no_track_is_left_out(spans):
    tracks = [
        track(number, first, first + length, x=x, width=width)
        for number, (first, length, x, width) in enumerate(spans)
    ]
    choice = choose_subject(tracks, SHAPE)
    frames = np.concatenate([tracks[number].frames for number in choice.subject])

    assert (np.diff(frames) > 0).all()
    assert sorted(choice.subject + choice.others) == list(range(len(tracks)))
    assert choose_subject(tracks[::-1], SHAPE).subject == choice.subject
