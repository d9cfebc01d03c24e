import re

import pytest
from study_parts import rate_all, write_attention, write_run

from mavfer.errors import InvalidFile, MissingExtra, NotFound
from mavfer.labelling import label_study
from mavfer.report import summarize, write_report
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


def test_a_study_of_shards_alone_has_the_sections_of_capture_alone(study):
    page = write_report(study.root).read_text(encoding="utf-8")

    assert re.findall("<h2>(.*?)</h2>", page) == [
        "Aligned streams",
        "Tracks and validity over time",
        "Clocks and synchronisation",
        "Quality",
        "Use it, and how it was made",
    ]
    assert "from camera to shard." in page


def test_a_whole_study_tells_its_journey_in_order(lit_study):
    rate_all(lit_study, {"R1": 1.0, "R2": 0.9})
    label_study(lit_study, name="gold")
    for model in ("sta", "mran"):
        write_attention(write_run(lit_study, model))

    path = write_report(lit_study.root)
    page = path.read_text(encoding="utf-8")

    titles = re.findall("<h2>(.*?)</h2>", page)
    assert titles[0] == "Result"
    assert titles[5:9] == [
        "Ratings and label",
        "Agreement of the raters",
        "Training and predictions",
        "Attention",
    ]
    assert re.findall('<a href="#[^"]*">(.*?)</a>', page) == titles
    assert "from camera to score." in page
    assert "<script" not in page
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)


def test_a_torn_result_is_named_and_no_page_is_written(lit_study):
    folder = write_run(lit_study)
    (folder / "result.json").write_text('{"format": "mavfer.res')

    with pytest.raises(InvalidFile, match=r"result\.json: not readable as JSON"):
        write_report(lit_study.root)
    assert not (lit_study.reports_folder / "report.html").exists()
