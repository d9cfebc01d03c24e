import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mavfer.report.svg import Drawing, Scale, shortened, signed


@given(low=st.floats(-1e4, 1e4), span=st.floats(1e-3, 1e4), about=st.integers(2, 12))
def test_ticks_are_inside_evenly_spaced_and_about_as_many_as_asked_for(low, span, about):
    ticks = Scale(low, low + span, 0, 100).ticks(about)

    assert 1 <= len(ticks) <= about + 1
    assert all(low - 1e-6 * span <= tick <= low + span * (1 + 1e-6) for tick in ticks)
    np.testing.assert_allclose(np.diff(ticks, 2), 0, atol=1e-6 * max(abs(low), span))


def test_a_scale_goes_from_start_to_end_and_holds_what_is_beyond():
    down = Scale(-1, 1, 200, 0)

    assert [down(value) for value in (-1, 0, 1)] == [200, 100, 0]
    assert down(7) == 0
    assert Scale(-1, 1, 0, 1).ticks(4) == [-1, -0.5, 0, 0.5, 1]


def test_words_and_titles_are_escaped():
    drawing = Drawing(10, 10, 'a "<b>"')
    drawing.text(1, 2, "<script>", told="R&D")
    drawing.dot(1, 2, "tone0", told="<x>")
    text = str(drawing)

    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert "<title>R&amp;D</title>" in text
    assert "<title>&lt;x&gt;</title>" in text
    assert 'aria-label="a &quot;&lt;b&gt;&quot;"' in text


def test_cells_of_one_kind_are_one_path():
    drawing = Drawing(10, 10, "cells")
    drawing.cells([(0, 0), (2.04, 3)], (1.5, 1), "shade0")
    drawing.cells([], (1, 1), "shade1")

    assert re.findall(r'd="([^"]*)"', str(drawing)) == ["M0.0 0.0h1.5v1h-1.5zM2.0 3.0h1.5v1h-1.5z"]


def test_long_codes_are_cut_and_signs_told():
    assert shortened("R1") == "R1"
    assert shortened("a_very_long_code") == "a_very_long…"
    assert [signed(value) for value in (0.126, -0.5, -0.001)] == ["+0.13", "-0.50", "0.00"]
