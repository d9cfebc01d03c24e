import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_rgb
from matplotlib.text import Text

from mavfer.showing import FrameView, draw_frame
from mavfer.showing.canvas import NOTHING
from mavfer.showing.frame import face_range
from mavfer.showing.views import WORDS
from mavfer.vision.validity import Reason

SIZE = 40


def view_of(**changes):
    """A frame whose three streams can be used."""
    y, x = np.mgrid[0:SIZE, 0:SIZE]
    plain = {
        "session": "S01-001",
        "subject": "S01",
        "frame": 17,
        "frames": 120,
        "seconds": 1.7,
        "label": {"arousal": -0.634, "valence": float("nan")},
        "pixels": {
            "color": np.full((SIZE, SIZE, 3), 120, np.uint8),
            "depth": (640 + np.hypot(x - 20, y - 20)).astype(np.uint16),
            "thermal": (30715 + x).astype(np.uint16),
        },
        "valid": {"color": True, "depth": True, "thermal": True},
        "is_carried": False,
        "reason": Reason.NONE,
    }
    return FrameView(**{**plain, **changes})


def words_of(figure):
    """All that is written on a figure, without empty texts."""
    figure.draw_without_rendering()
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def images_of(figure):
    return [image for axes in figure.axes for image in axes.images]


def test_the_headline_says_what_is_known():
    words = words_of(draw_frame(view_of()))

    assert "S01-001   frame 17 of 120   1.70 s" in words
    assert "subject S01   ·   arousal −0.63   ·   all streams valid" in words
    assert {"color", "depth, mm", "thermal, °C"} <= set(words)


def test_stills_have_no_time_and_labels_may_be_missing():
    view = view_of(seconds=float("nan"), label=None)
    words = words_of(draw_frame(view))

    assert "S01-001   frame 17 of 120" in words
    assert any("no label loaded" in line for line in words)
    assert any("no label here" in line for line in words_of(draw_frame(view_of(label={}))))


@pytest.mark.parametrize("reason", [r for r in Reason if r not in {Reason.NONE, Reason.CARRIED}])
def test_every_reason_stands_in_the_headline(reason):
    nothing = dict.fromkeys(("color", "depth", "thermal"), False)
    words = words_of(draw_frame(view_of(valid=nothing, reason=reason)))

    assert any(f"nothing valid; {WORDS[reason]}" in line for line in words)


def test_a_carried_face_is_told():
    words = words_of(draw_frame(view_of(is_carried=True, reason=Reason.CARRIED)))

    assert any(line.endswith("all streams valid; face carried by depth") for line in words)


def test_a_stream_that_cannot_be_used_is_an_empty_panel_that_says_why():
    view = view_of(
        valid={"color": True, "depth": False, "thermal": False}, reason=Reason.SPARSE_DEPTH
    )
    figure = draw_frame(view)
    words = words_of(figure)

    assert len(images_of(figure)) == 1
    assert "not valid at this frame:\ndepth covers too little of the face" in words
    assert "not valid at this frame" in words  # thermal, whose reason is not known
    assert any("valid: color; depth covers" in line for line in words)


def test_a_stream_that_the_session_lacks_is_an_empty_panel():
    view = view_of()
    pixels = {name: view.pixels[name] for name in ("color", "depth")}
    figure = draw_frame(view_of(pixels=pixels, valid={"color": True, "depth": True}))
    words = words_of(figure)

    assert len(images_of(figure)) == 2
    assert "this session has no thermal" in words
    assert any(line.endswith("all streams valid") for line in words)


def test_depth_is_in_millimetres_and_thermal_in_celsius():
    _, depth, thermal = images_of(draw_frame(view_of()))
    low, high = thermal.get_clim()

    assert depth.get_array()[20, 20] == 640
    assert thermal.get_array()[0, 0] == pytest.approx(34.0)
    assert low < 34.1 < high


def test_holes_are_gray_and_counted():
    view = view_of()
    view.pixels["depth"][:10] = 0
    figure = draw_frame(view)
    panel = next(axes for axes in figure.axes if axes.images and axes.images[0].get_cmap().name
                 == "viridis_r")  # fmt: skip
    figure.canvas.draw()
    drawn = np.asarray(figure.canvas.buffer_rgba())[..., :3]
    x, y = panel.transData.transform((20, 4)).astype(int)

    assert drawn[len(drawn) - y, x] == pytest.approx(np.array(to_rgb(NOTHING)) * 255, abs=1)
    assert "nothing measured: 25%" in words_of(figure)


def test_a_depth_frame_without_any_data_is_all_gray():
    view = view_of()
    view.pixels["depth"][:] = 0
    figure = draw_frame(view)

    assert len(images_of(figure)) == 2
    assert "nothing measured: 100%" in words_of(figure)


def test_a_dark_frame_says_how_dark_it_is():
    view = view_of()
    view.pixels["color"][:] = 5

    assert "dark: mean level 5 of 255" in words_of(draw_frame(view))


def test_landmarks_stand_where_they_are_in_the_crop():
    landmarks = np.random.default_rng(0).uniform(5, 35, (68, 2))
    figure = draw_frame(view_of(landmarks=landmarks))
    panels = [axes for axes in figure.axes if axes.lines]

    assert len(panels) == 3
    assert np.allclose(panels[0].lines[0].get_xydata(), landmarks)
    assert panels[0].get_xlim() == (-0.5, SIZE - 0.5)


def test_crops_keep_their_shape():
    view = view_of(pixels={"color": np.zeros((24, 20, 3), np.uint8)}, valid={"color": True})
    panel = draw_frame(view).axes[0]
    box = panel.get_window_extent()

    assert box.height / box.width == pytest.approx(24 / 20, rel=1e-3)


@given(
    st.floats(300, 3000),
    st.floats(0, 200),
    st.integers(0, 2**32 - 1),
    st.sampled_from([(10.0, 80.0), (0.5, 3.0)]),
)
def test_the_range_holds_the_face_and_ends_at_round_numbers(middle, spread, seed, steps):
    step, least = steps
    values = np.random.default_rng(seed).uniform(middle, middle + spread, (SIZE, SIZE))
    low, high = face_range(values, np.ones((SIZE, SIZE), bool), step, least)

    assert low <= middle + 0.1 * spread
    assert high >= middle + 0.9 * spread
    assert high - low >= least * 0.999
    assert np.allclose(np.array([low, high]) / step, np.round(np.array([low, high]) / step))


def test_the_range_is_that_of_the_face_alone():
    values = np.full((SIZE, SIZE), 650.0)
    known = np.ones((SIZE, SIZE), bool)
    alone = face_range(values, known, 10.0, 80.0)
    values[:8] = 4000
    values[20, 20:23] = 100
    known[5] = False

    assert alone == (610, 690)
    assert face_range(values, known, 10.0, 80.0) == alone


def test_a_face_with_a_hole_in_the_middle_still_has_a_range():
    values = np.full((SIZE, SIZE), 650.0)
    known = np.zeros((SIZE, SIZE), bool)
    known[0] = True

    assert face_range(values, known, 10.0, 80.0) == (610, 690)
