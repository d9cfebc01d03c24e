import numpy as np

from annotator_web.project import Dimension
from annotator_web.way.drawing import path_of, plots_of
from annotator_web.way.practice import Line, Outcome


def test_a_line_runs_from_the_bottom_to_the_top():
    assert path_of(np.array([-1.0, 0.0, 1.0]), -1, 1) == "M0.0 160.0L300.0 80.0L600.0 0.0"


def test_a_line_has_gaps_and_stays_within_the_picture():
    assert path_of(np.array([2.0, np.nan, -2.0]), -1, 1) == "M0.0 0.0M600.0 160.0"
    assert path_of(np.array([np.nan]), -1, 1) == ""


def test_a_long_line_is_thinned():
    assert path_of(np.zeros(9000), -1, 1).count("L") < 250


def test_each_dimension_has_its_plot():
    line = Line("arousal", np.zeros(3), np.ones(3), 0.7)
    (plot,) = plots_of(Outcome((line,), 0.3, 0.6), [Dimension("arousal", -1, 1, "calm", "excited")])

    assert plot.is_reached
    assert plot.own != plot.expert
