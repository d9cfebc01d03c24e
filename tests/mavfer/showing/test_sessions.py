from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from matplotlib.text import Text

from mavfer.showing import SessionView, Trace, draw_sessions

NAMES = ("color", "depth", "thermal")


def view_of(session="S01-001", *, frames=60, streams=NAMES, is_stills=False, label="gold"):
    value = np.cos(np.arange(frames) / 9)
    trace = Trace("arousal", value, (value - 0.1, value + 0.1), (-1.0, 1.0), ("calm", "excited"))
    return SessionView(
        session=session,
        subject=session.rpartition("-")[0],
        seconds=None if is_stills else np.arange(frames) / 30,
        label=label,
        traces=(trace,) if label else (),
        valid={name: np.ones(frames, bool) for name in streams},
        carried=np.zeros(frames, bool),
        reason=np.zeros(frames, np.uint8),
    )


def words_of(figure):
    figure.draw_without_rendering()
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


@pytest.mark.parametrize("count", [1, 24])
def test_each_session_has_a_row_of_its_own(count):
    figure = draw_sessions([view_of(f"S{n:02}-001") for n in range(count)], title="t", note="n")
    words = words_of(figure)
    axes = figure.axes[0]
    boxes = [text.get_window_extent() for text in axes.texts if text.get_text().startswith("S")]

    assert axes.get_ylim() == (count, 0)
    assert len(boxes) == count
    assert all(a.y0 > b.y1 for a, b in pairwise(boxes))
    assert {"t", "n", "arousal", "seconds", "valid"} <= set(words)


def test_nothing_is_written_beyond_the_rim():
    views = [
        view_of("a_very_long_code_of_participants-001"),
        view_of(streams=("color",)),
        view_of("S02-001", streams=("color", "depth")),
    ]
    figure = draw_sessions(views, title="t")
    figure.draw_without_rendering()
    texts = [*figure.texts, *figure.axes[0].texts, figure.axes[0].xaxis.label]
    boxes = [text.get_window_extent() for text in texts if text.get_text()]

    assert all(box.x0 >= 0 and box.x1 <= figure.bbox.x1 for box in boxes)
    assert all(box.y0 >= 0 and box.y1 <= figure.bbox.y1 for box in boxes)
    assert {"a_very_lon…cipants-001", "color only", "no thermal"} <= set(words_of(figure))


def test_curves_stay_in_their_row():
    view = view_of()
    wild = replace(view.traces[0], value=view.traces[0].value * 9)
    figure = draw_sessions([view, replace(view, traces=(wild,))], title="t")
    first, second = (line.get_ydata() for line in figure.axes[0].lines)

    assert 0 < first.min() < first.max() < 1
    assert 1 < second.min() < second.max() < 2


def test_stills_beside_videos_take_the_whole_width():
    views = [view_of(frames=90), view_of("S02-001", frames=10, is_stills=True)]
    figure = draw_sessions(views, title="t")
    video, stills = (line.get_xdata() for line in figure.axes[0].lines)

    assert figure.axes[0].get_xlim() == pytest.approx((0, 3))
    assert stills[[0, -1]] == pytest.approx([0.15, 2.85])
    assert "10 stills" in words_of(figure)
    assert video[-1] == pytest.approx(3, abs=0.1)


def test_stills_alone_are_counted():
    views = [view_of(frames=8, is_stills=True), view_of("S02-001", frames=5, is_stills=True)]
    figure = draw_sessions(views, title="t")

    assert figure.axes[0].get_xlim() == (-0.5, 7.5)
    assert "still" in words_of(figure)


def test_sessions_without_labels_say_so():
    assert "no labels loaded" in words_of(draw_sessions([view_of(label=None)], title="t"))
