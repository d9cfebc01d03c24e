import re

import pytest

from mavfer.errors import MissingExtra, NotFound
from mavfer.report import html, summarize, write_report
from mavfer.study.study import Study


def test_a_summary_counts_what_is_there(study):
    summary = summarize(study.root)

    assert (summary.subjects, summary.shards, summary.frames) == (2, 3, 120)
    assert summary.streams == ["color", "depth", "thermal"]
    assert summary.to_document()["valid_frames"] == summary.valid_frames
    assert "frames    120" in str(summary)


def test_an_empty_study_has_a_summary(tmp_path):
    Study.create(tmp_path / "S")

    assert "sessions  0, 0 of them preprocessed" in str(summarize(tmp_path / "S"))


def test_a_report_needs_shards(tmp_path):
    Study.create(tmp_path / "S")

    with pytest.raises(NotFound, match=r"no shards yet\. Run mavfer preprocess"):
        write_report(tmp_path / "S")


def test_a_missing_plotting_library_is_named(study, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "matplotlib", None)

    with pytest.raises(MissingExtra, match=r"pip install 'mavfer\[demo\]'"):
        write_report(study.root)
    assert not (study.reports_folder / "report.html").exists()


def test_a_study_with_an_odd_name_does_not_break_its_page(shard_factory, tmp_path):
    study = shard_factory.make_study(tmp_path / "S")
    path = study.root / "study.json"
    path.write_text(path.read_text().replace(f'"{study.name}"', '"<b>& \\"quotes\\""'))

    text = write_report(study.root).read_text()

    assert "<title>&lt;b&gt;&amp; &quot;quotes&quot;</title>" in text


def test_a_report_twice_is_the_same_but_for_its_date(study):
    dates = re.compile(r"on \d{4}-\d\d-\d\dT[\d:]+Z")
    pages = [dates.sub("", write_report(study.root).read_text()) for _ in range(2)]

    assert pages[0] == pages[1]


def test_text_in_a_page_is_escaped():
    assert html.paragraph("<x>") == "<p>&lt;x&gt;</p>"
    assert "&lt;x&gt;" in html.table(["<x>"], [["<x>"]])
    assert "<th><x>" not in html.table(["<x>"], [["<x>"]])
