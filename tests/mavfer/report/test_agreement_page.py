import json
import re

import numpy as np
import pytest
from study_parts import FRAMES, SESSIONS, curve, rate, rate_all

from mavfer.agreement import Estimate
from mavfer.cli import run
from mavfer.labelling import agree_study
from mavfer.report.agreement_page import write_agreement
from mavfer.report.agreement_plots import plot_lags, plot_matrix, plot_needed, plot_sessions
from mavfer.report.agreement_raters import SHOWN_RATERS, plot_bland_altman, plot_values

GAINS = {"R1": 1.0, "R2": 0.8, "R3": 0.9, "R4": -1.0}


@pytest.fixture
def rated(lit_study):
    """Four raters, of whom R4 is mirrored."""
    rate_all(lit_study, GAINS)
    return lit_study


@pytest.fixture
def arousal(rated):
    """Their agreement on arousal."""
    return agree_study(rated).dimensions[0]


def luminance(color):
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def places(svg, kind):
    """Heights of the lines of one kind."""
    found = re.findall(rf'<line class="{kind}" [^>]*y1="([\d.]+)" y2="([\d.]+)"', svg)
    return [float(top) for top, bottom in found if top == bottom]


def test_the_page_is_one_file_without_scripts_that_loads_nothing(rated):
    written = write_agreement(rated)
    page = written.page.read_text(encoding="utf-8")
    headings = re.findall(r"<h2>(.*?)</h2>", page)

    assert written.page == rated.reports_folder / "agreement.html"
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in page
    assert not re.findall(r"<script|<link|<img|\son\w+=|https?:|url\(", page)
    assert headings == [
        "In short",
        "How far they agree",
        "Raters two by two",
        "Each rater",
        "Each rater against the others",
        "Which sessions are hard",
        "How to read this, and where the numbers are",
    ]
    assert 'class="themed"' in page
    assert "nan" not in re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)


def test_the_page_says_who_is_flagged_and_why(rated):
    page = write_agreement(rated).page.read_text(encoding="utf-8")

    assert re.search(r"<li>R4 in arousal: CCC -\d\.\d\d with the mean of the others\.</li>", page)
    assert "the mean of 3 unflagged raters has an ICC(A,k) of" in page


def test_nobody_flagged_is_said_too(lit_study):
    rate_all(lit_study, {"R1": 1.0, "R2": 0.95})
    page = write_agreement(lit_study).page.read_text(encoding="utf-8")

    assert "No rater is flagged." in page
    assert "unflagged raters</text>" not in page


def test_one_rater_has_a_page_too(lit_study):
    rate_all(lit_study, {"R1": 1.0}, dimensions=("valence",))
    page = write_agreement(lit_study).page.read_text(encoding="utf-8")

    assert "valence: nobody to compare with." in page
    assert "nothing to compare" in page


def test_running_again_replaces_its_own_files_and_no_others(rated, capsys):
    other = rated.reports_folder / "agreement" / "notes.txt"
    assert run(["agree", str(rated.root)]) == 0
    other.write_text("mine", encoding="utf-8")
    (rated.reports_folder / "report.html").write_text("mine", encoding="utf-8")
    assert run(["agree", str(rated.root), "--json"]) == 0
    document = json.loads(capsys.readouterr().out.splitlines()[-1])
    files = {path.name for path in rated.reports_folder.rglob("*") if path.is_file()}

    assert document["page"] == str(rated.reports_folder / "agreement.html")
    assert {"dimensions.csv", "sessions.csv", "raters.csv", "pairs.csv"} < files
    assert sorted(files) == sorted(
        {"agreement.html", "notes.txt", "report.html"}
        | {path.rpartition("/")[2] for path in document["tables"]}
    )
    assert other.read_text(encoding="utf-8") == "mine"


def test_the_matrix_holds_every_pair_legibly_on_its_color(arousal):
    svg = plot_matrix(arousal)
    colors = re.findall(r'<rect fill="(#\w{6})" [^>]*width="(?:66|67)', svg)
    words = re.findall(r'class="cell" style="fill:(#\w{6})"[^>]*>(-?\d\.\d\d)</text>', svg)
    upper = arousal.pairwise_ccc[~np.eye(4, dtype=bool)]

    assert [float(number) for _, number in words] == pytest.approx(upper, abs=0.005)
    assert len(colors) == len(words) == 12
    for color, (ink, _) in zip(colors, words, strict=True):
        light, dark = sorted((luminance(color), luminance(ink)))[::-1]
        assert (light + 0.05) / (dark + 0.05) >= 4.5
    assert ">R4 *<" in svg


def test_every_color_of_the_matrix_can_be_read(arousal):
    for value in np.linspace(-1, 1, 41):
        arousal.pairwise["ccc"][0, 1] = value
        svg = plot_matrix(arousal)
        color = re.search(r'<rect fill="(#\w{6})"', svg)[1]
        ink = re.search(r'class="cell" style="fill:(#\w{6})"', svg)[1]
        light, dark = sorted((luminance(color), luminance(ink)))[::-1]

        assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_lags_are_open_where_no_clip_told_them(lit_study):
    rate_all(lit_study, {"R1": 1.0, "R2": 0.9})
    measured = agree_study(lit_study).dimensions
    for path in lit_study.ratings_folder.rglob("*.R2.*.json"):
        document = json.loads(path.read_text(encoding="utf-8"))
        document["settings"] = {}
        path.write_text(json.dumps(document), encoding="utf-8")
    told = agree_study(lit_study).dimensions

    assert plot_lags(measured).count("open") == 1  # the key alone
    assert plot_lags(told).count("open") == 3
    assert "R2, arousal: 0.00 s, told by traces, measured raters" in plot_lags(told)


def test_bland_and_altman_have_the_bias_between_its_limits(arousal):
    pictures = plot_bland_altman(arousal)
    (bias,), limits = places(pictures[1], "bias"), places(pictures[1], "limit")

    assert len(pictures) == 4
    assert ">R4 *<" in pictures[0]  # the flagged one first
    assert min(limits) < bias < max(limits)
    assert bias == pytest.approx(sum(limits) / 2, abs=0.2)
    assert "shade3 flagged" in pictures[0]
    assert "shade3 tone0" in pictures[1]


def test_a_constant_difference_lies_on_its_bias(lit_study):
    for session in SESSIONS:
        for rater, shift in (("R1", 0.1), ("R2", -0.1), ("R3", 0.0)):
            rate(lit_study, session, "valence", rater, curve(session, "valence") + shift)
    valence = agree_study(lit_study).dimensions[0]
    first = valence.raters[0]

    assert first.bias == pytest.approx(0.15, abs=0.02)
    assert first.limits == pytest.approx((first.bias, first.bias), abs=0.05)


def test_of_many_raters_the_least_alike_are_drawn(lit_study):
    rate_all(lit_study, {f"R{at:02d}": 1 - at / 40 for at in range(15)}, ("arousal",))
    arousal = agree_study(lit_study).dimensions[0]
    written = write_agreement(lit_study)
    lowest = min(arousal.raters, key=lambda rater: (not rater.doubt, rater.ccc)).rater

    assert len(plot_bland_altman(arousal)) == SHOWN_RATERS
    assert f">{lowest}" in plot_bland_altman(arousal)[0]
    assert "The 12 of 15 raters least like the others." in written.page.read_text(encoding="utf-8")
    assert 'class="cell small"' in plot_matrix(arousal)
    assert written.page.stat().st_size < 1_000_000


def test_sessions_stand_in_order_with_their_intervals(arousal):
    svg = plot_sessions(arousal)
    names = re.findall(r">(S0\d-00\d)<title>", svg)
    told = [float(value) for value in re.findall(r"<title>(-?\d\.\d\d) \[", svg)]

    assert sorted(names) == sorted(SESSIONS)
    assert told == sorted(told)
    assert svg.count('class="span tone0"') == 4
    assert svg.count('class="hollow"') == 5  # four sessions, and the key


def test_the_curve_of_raters_starts_at_one_rater_and_rises(arousal):
    svg = plot_needed([arousal])
    (points,) = re.findall(r'<polyline class="tone0" points="([^"]+)"', svg)
    heights = [float(point.split(",")[1]) for point in points.split()]

    assert heights == sorted(heights, reverse=True)
    assert heights[0] == pytest.approx(
        246 - 216 * arousal.without_flagged["icc_a_1"].value, abs=0.1
    )
    assert 'class="band tone0"' in svg


def test_without_agreement_there_is_no_curve_and_no_crash(arousal):
    arousal.without_flagged["icc_a_1"] = Estimate(np.nan)

    assert "polyline" not in plot_needed([arousal])


def test_values_are_drawn_for_every_rater(arousal):
    svg = plot_values(arousal, (-1, 1))
    medians = [float(value) for value in re.findall(r"median (-?\d\.\d\d)", svg)]

    assert medians == pytest.approx(np.nanmedian(arousal.traces, axis=1), abs=0.01)
    assert svg.count("band tone0") == 3
    assert svg.count("band flagged") == 1
    assert len(arousal.traces[0]) == len(SESSIONS) * (FRAMES + 1) - 1
