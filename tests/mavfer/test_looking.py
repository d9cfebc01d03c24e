import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.text import Text

import mavfer
from mavfer.errors import CommandError, MissingExtra, NotFound

PNG = b"\x89PNG\r\n\x1a\n"


def words_of(figure):
    figure.draw_without_rendering()
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


@pytest.fixture
def dataset(study, shard_factory):
    """S01-001 has a label; S01-002 has color alone and none."""
    shard_factory.write_label(study, "S01-001")
    return mavfer.load(study.root)


def test_a_frame_is_shown_with_what_is_known(dataset):
    rec = dataset["S01-001"]
    words = words_of(rec.show(17))

    assert "S01-001   frame 17 of 40   0.57 s" in words
    assert any("arousal 0.65   ·   valence −0.65" in line for line in words)


def test_negative_numbers_count_from_the_end(dataset):
    assert words_of(dataset["S01-001"].show(-1)) == words_of(dataset["S01-001"].show(39))


@pytest.mark.parametrize("frame", [40, -41])
def test_a_frame_that_is_not_there_is_refused(dataset, frame):
    with pytest.raises(IndexError, match=rf"frame {frame}: session S01-001 has frames 0 to 39"):
        dataset["S01-001"].show(frame)


def test_the_pixels_are_those_of_the_frame(dataset):
    rec = dataset["S01-001"]
    shown = [axes.images[0].get_array() for axes in rec.show(5).axes if axes.images]

    assert (shown[0] == rec.color[5]).all()
    assert (shown[1].filled(0) == rec.depth[5]).all()
    assert np.allclose(shown[2] * 100 + 27315, rec.thermal[5])


def test_landmarks_go_through_the_matrix_of_the_crop(dataset):
    rec = dataset["S01-001"]
    drawn = rec.show(3, landmarks=True).axes[0].lines[0].get_xydata()

    assert np.allclose(drawn, rec.landmarks[3] * 0.5 - [10, 20], atol=1e-4)


def test_streams_and_labels_that_are_missing_are_told(dataset):
    words = words_of(dataset["S01-002"].show(0))

    assert {"this session has no depth", "this session has no thermal"} <= set(words)
    assert any("no label here" in line for line in words)
    assert any("has no label 'gold'" in line for line in words_of(dataset["S01-002"].plot()))


def test_a_session_is_plotted_with_its_label_and_band(study, shard_factory):
    path = shard_factory.write_label(study, "S01-001")
    lines = path.read_text(encoding="utf-8").splitlines()
    keys = lines[0].split(",")
    cells = [line.split(",") for line in lines[1:]]
    for row in cells:
        row[keys.index("arousal_low")], row[keys.index("arousal_high")] = "-0.5", "0.5"
    path.write_text("\n".join([lines[0], *map(",".join, cells)]) + "\n", encoding="utf-8")
    rec = mavfer.load(study.root)["S01-001"]
    arousal = rec.plot().axes[0]

    assert np.allclose(arousal.lines[0].get_ydata(), rec.arousal)
    assert arousal.collections[0].get_paths()[0].vertices[:, 1].max() == 0.5


def test_without_labels_only_validity_is_plotted(study):
    figure = mavfer.load(study.root, labels=None)[0].plot()

    assert len(figure.axes) == 1
    assert any("no labels loaded" in line for line in words_of(figure))


def test_one_raters_trace_is_plotted_without_a_band(study, shard_factory):
    samples = [(t / 10, 0.25, 0) for t in range(15)]
    shard_factory.write_rating(study, "S01-001", "arousal", "R1", samples)
    figure = mavfer.load(study.root, labels="rater:R1")["S01-001"].plot()

    assert not [c for c in figure.axes[0].collections if type(c).__name__.startswith("Fill")]
    assert np.nanmax(figure.axes[0].lines[0].get_ydata()) == 0.25


def test_a_study_is_plotted_by_subject(dataset):
    words = words_of(dataset[::-1].plot())
    names = [word for word in words if word in dataset.sessions]

    assert names == ["S01-001", "S01-002", "S02-001"]
    assert "3 sessions   ·   2 subjects   ·   label gold" in words


def test_more_sessions_than_the_limit_are_announced(dataset):
    words = words_of(dataset.plot(limit=2))

    assert "S02-001" not in words
    assert any("the first 2 by subject" in line for line in words)


def test_nothing_to_plot_is_refused(dataset):
    with pytest.raises(NotFound, match=r"study 'test': no sessions to plot"):
        dataset[:0].plot()
    with pytest.raises(CommandError, match=r"limit is 0\. Give the number of sessions"):
        dataset.plot(limit=0)


def test_figures_show_themselves_and_can_be_saved(dataset, tmp_path):
    figure = dataset[0].show(0)
    figure.savefig(tmp_path / "frame.png")

    assert figure._repr_png_().startswith(PNG)
    assert (tmp_path / "frame.png").read_bytes().startswith(PNG)


def test_figures_look_the_same_in_every_style(dataset):
    def pictures():
        figures = dataset[0].show(0), dataset[0].plot(), dataset.plot()
        return [figure._repr_png_() for figure in figures]

    style = {
        "savefig.facecolor": "black",
        "figure.facecolor": "black",
        "figure.autolayout": True,
        "axes.facecolor": "black",
        "axes.grid": True,
        "image.origin": "lower",
        "text.color": "white",
        "xtick.color": "white",
        "lines.linestyle": "--",
    }
    plain = pictures()

    with mpl.rc_context(style):
        assert pictures() == plain


def test_drawing_leaves_pyplot_alone(dataset):
    program = (
        "import mavfer, sys; ds = mavfer.load(sys.argv[1]); ds[0].show(0)._repr_png_(); "
        "ds[0].plot(); ds.plot()._repr_png_(); print('matplotlib.pyplot' in sys.modules)"
    )
    root = str(dataset.study.root)
    printed = subprocess.run(
        [sys.executable, "-c", program, root], capture_output=True, text=True, check=True
    ).stdout

    assert printed == "False\n"


@pytest.mark.parametrize("draw", [lambda ds: ds[0].show(0), lambda ds: ds[0].plot(),
                                  lambda ds: ds.plot()])  # fmt: skip
def test_without_matplotlib_the_extra_is_named(dataset, monkeypatch, draw):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)

    with pytest.raises(MissingExtra, match=r"pip install 'mavfer\[plot\]'"):
        draw(dataset)
