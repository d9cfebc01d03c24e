import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.text import Text

from mavfer.showing import SessionView, Trace, draw_session
from mavfer.showing.canvas import CARRIED, INK, VALID, runs
from mavfer.showing.session import key_of, stream_bars
from mavfer.vision.validity import Reason

FRAMES = 60
NAMES = ("color", "depth", "thermal")


def trace_of(name="arousal", **changes):
    value = np.sin(np.arange(FRAMES) / 9)
    plain = {
        "name": name,
        "value": value,
        "band": (value - 0.1, value + 0.1),
        "scale": (-1.0, 1.0),
        "words": ("calm", "excited"),
    }
    return Trace(**{**plain, **changes})


def view_of(**changes):
    """Two seconds; everything valid."""
    plain = {
        "session": "S01-001",
        "subject": "S01",
        "seconds": np.arange(FRAMES) / 30,
        "label": "gold",
        "traces": (trace_of(), trace_of("valence", words=("unpleasant", "pleasant"))),
        "valid": {name: np.ones(FRAMES, bool) for name in NAMES},
        "carried": np.zeros(FRAMES, bool),
        "reason": np.zeros(FRAMES, np.uint8),
    }
    return SessionView(**{**plain, **changes})


def words_of(figure):
    figure.draw_without_rendering()
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def test_each_dimension_has_its_own_axes_with_the_ends_in_words():
    figure = draw_session(view_of())
    words = words_of(figure)

    assert {"arousal", "valence", "calm", "excited", "unpleasant", "pleasant"} <= set(words)
    assert "subject S01   ·   60 frames in 2.0 s   ·   label gold" in words
    assert len(figure.axes) == 3
    assert figure.axes[0].get_xlim() == figure.axes[2].get_xlim() == pytest.approx((0, 2))
    assert words.count("100%") == 3


def test_a_band_stays_within_the_scale():
    wide = (np.full(FRAMES, -3.0), np.full(FRAMES, 3.0))
    axes = draw_session(view_of(traces=(trace_of(band=wide),))).axes[0]
    outline = axes.collections[0].get_paths()[0].vertices

    assert outline[:, 1].min() == -1
    assert outline[:, 1].max() == 1


def test_stills_are_dots_over_their_numbers():
    figure = draw_session(view_of(seconds=None))
    words = words_of(figure)

    assert "still" in words
    assert any("60 stills" in line for line in words)
    assert figure.axes[0].lines[0].get_marker() == "o"
    assert figure.axes[0].lines[0].get_xdata().tolist() == list(range(FRAMES))


def test_a_session_without_a_label_says_so():
    unrated = trace_of(value=np.full(FRAMES, np.nan), band=None)
    words = words_of(draw_session(view_of(traces=(unrated,))))

    assert "S01-001 has no label 'gold' of arousal" in words
    assert any("no labels loaded" in w for w in words_of(draw_session(view_of(label=None,
               traces=()))))  # fmt: skip


def test_a_long_session_counts_minutes():
    figure = draw_session(view_of(seconds=np.arange(FRAMES) * 30.0))

    assert "minutes" in words_of(figure)
    assert any("60 frames in 29.5 min" in line for line in words_of(figure))
    assert "10" in [label.get_text() for label in figure.axes[-1].get_xticklabels()]


def test_a_session_of_one_frame_is_drawn():
    one = {name: np.ones(1, bool) for name in NAMES}
    view = view_of(seconds=np.zeros(1), traces=(), valid=one, carried=np.zeros(1, bool),
                   reason=np.zeros(1, np.uint8))  # fmt: skip

    assert any("1 frame in 0.0 s" in line for line in words_of(draw_session(view)))


def test_streams_that_are_not_there_are_told():
    words = words_of(draw_session(view_of(valid={"color": np.ones(FRAMES, bool)})))

    assert words.count("not in this session") == 2


def test_a_lost_frame_is_never_rounded_to_none():
    valid = {"color": np.ones(FRAMES * 100, bool)}
    valid["color"][7] = False
    many = FRAMES * 100
    view = view_of(seconds=np.arange(many) / 30, traces=(), valid=valid,
                   carried=np.zeros(many, bool), reason=np.zeros(many, np.uint8))  # fmt: skip

    assert "99.9%" in words_of(draw_session(view))


def test_carried_frames_stand_in_the_row_of_color():
    carried = np.arange(FRAMES) > 30
    view = view_of(carried=carried, reason=np.where(carried, Reason.CARRIED, 0).astype(np.uint8))

    assert [bars.color for bars in stream_bars(view, "color")] == [VALID, CARRIED]
    assert [bars.color for bars in stream_bars(view, "depth")] == [VALID]
    assert [words for _, words in key_of([view])] == ["valid", "carried by depth"]


def test_reasons_have_the_color_of_their_kind():
    reason = np.zeros(FRAMES, np.uint8)
    reason[:10], reason[10:20], reason[20:30] = Reason.NO_FACE, Reason.LOST, Reason.NO_DEPTH
    valid = {name: reason == 0 for name in NAMES}
    view = view_of(valid=valid, reason=reason)
    colors = {bars.words: bars.color for bars in stream_bars(view, "depth")}

    assert colors["no face found"] == INK
    assert [bars.words for bars in stream_bars(view, "thermal")][-1] == "not valid"
    assert [words for _, words in key_of([view])] == [
        "valid", "no face found", "not valid", "no frame in time"
    ]  # fmt: skip


@given(
    arrays(bool, FRAMES),
    arrays(bool, FRAMES),
    arrays(np.uint8, FRAMES, elements=st.sampled_from([int(reason) for reason in Reason])),
    st.sampled_from(NAMES),
)
def test_every_frame_is_in_one_state(valid, carried, reason, name):
    view = view_of(valid={name: valid}, carried=carried, reason=reason)
    bars = stream_bars(view, name)

    assert (sum(each.chosen.astype(int) for each in bars) == 1).all()
    assert all((each.chosen & valid).any() != each.is_problem for each in bars)


@given(arrays(bool, st.integers(1, 40)))
def test_runs_cover_what_was_chosen(chosen):
    covered = np.zeros(len(chosen), bool)
    for first, last in runs(chosen):
        assert not covered[first:last].any()
        covered[first:last] = True

    assert (covered == chosen).all()
