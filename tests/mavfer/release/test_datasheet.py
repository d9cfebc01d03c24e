import re
from dataclasses import replace

import pytest

from mavfer.release.contents import Consents, LabelSummary
from mavfer.release.datasheet import datasheet, study_gaps
from mavfer.release.questions import QUESTIONS

SECTIONS = (
    "motivation",
    "composition",
    "collection",
    "preprocessing, labelling",
    "uses",
    "distribution",
    "maintenance",
)


def row(page, first):
    """Cells of the first table row that begins with `first`."""
    line = next(line for line in page.splitlines() if line.startswith(f"| {first} "))
    return [cell.strip() for cell in line.strip("|").split("|")]


def section(page, title):
    """What stands under a heading, up to the next one of any level."""
    return re.split(r"^#+ ", page.split(f"# {title}\n", 1)[1], maxsplit=1, flags=re.M)[0]


def test_every_group_of_questions_has_a_section_in_order(contents):
    headings = re.findall(r"^## .*\((.*)\)$", datasheet(contents), re.M)

    assert headings == list(SECTIONS)


def test_numbers_come_with_their_units(contents):
    page = datasheet(contents)

    assert row(page, "subjects") == ["subjects", "3"]
    assert row(page, "frames") == ["frames", "1,500"]
    assert row(page, "time") == ["time", "49.9 s"]
    assert row(page, "size") == ["size", "8.8 KiB"]
    assert row(page, "depth")[:3] == ["depth", "3", "224×224"]
    assert row(page, "thermal")[3:] == ["1 × uint16", "1,180 (98.3 %)"]


def test_frames_are_found_carried_or_missing_and_add_up(contents):
    page = datasheet(contents)

    assert row(page, "face found in color") == ["face found in color", "1,410", "94.0 %"]
    assert row(page, "head carried by depth") == ["head carried by depth", "60", "4.0 %"]
    assert row(page, "no usable face") == ["no usable face", "30", "2.0 %"]


def test_lighting_is_told_apart_where_sessions_name_it(contents):
    unnamed = replace(contents, lines=tuple({**line, "settings": {}} for line in contents.lines))

    assert row(datasheet(contents), "dark") == ["dark", "2", "600", "3.3 %", "10.0 %"]
    assert "lighting" not in datasheet(unnamed)


def test_participants_are_told_by_column_and_free_text_is_not_repeated(contents):
    page = datasheet(contents)

    assert "`age`: 25 to 35, median 30 (2 subjects). 1 without." in page
    assert r"`gender`: f 1, m\|x 1. 1 without." in page
    assert "`remark`: text, see the file. 2 without." in page


def test_labels_are_told_with_method_delay_and_doubts_but_no_rater(contents):
    page = datasheet(contents)

    assert "by the method `model`" in page
    assert re.search(r"\| arousal +\| +1,200 \| +300 \| -0.900 \| +-0.200 \|", page)
    assert re.search(r"\| arousal +\| +3 \| +1 \| +1.2 \| calibration clip, traces +\|", page)
    assert "RATER" not in page


def test_labels_of_unknown_making_have_no_table_of_raters(contents):
    document = {**contents.labels[0].documents[0], "dimensions": {}, "method": "imported"}
    page = datasheet(replace(contents, labels=(LabelSummary("gold", (document,)),)))

    assert "by the method `imported`" in page
    assert "delay known from" not in page


def test_agreement_stands_with_its_interval(contents):
    page = datasheet(contents)

    assert re.search(r"\| valence +\| unflagged +\| 0.80 \[0.70, 0.90\] \|", page)
    assert "How far raters agree" not in datasheet(replace(contents, agreement=()))


def test_the_rating_project_is_told_without_its_sessions(contents):
    page = datasheet(contents)

    assert "Rated: arousal and valence, in one pass on a plane; the scale is bounded." in page
    assert "20 % of the sessions were shown a second time" in page
    assert "SECRET9" not in page


def test_only_subjects_who_agreed_are_named_for_pictures(contents):
    pictures = section(datasheet(contents), "Pictures of subjects")
    nobody = replace(contents, consents=Consents({"share": 2}, {"v3": 2}, 1, ()))

    assert "1 of 3 subjects agreed" in pictures
    assert "`S02`" in pictures
    assert "`S01`" not in pictures
    assert "No picture of a real subject may be shown" in datasheet(nobody)


def test_consents_left_out_and_withdrawals_are_counted(contents):
    page = datasheet(contents)

    assert row(page, "that pictures are printed") == ["that pictures are printed", "1"]
    assert row(page, "no consent to share") == ["no consent to share", "2", "5"]
    assert "2026-06-15: one subject erased." in page


def test_an_imported_set_keeps_its_consents_elsewhere(contents):
    page = datasheet(replace(contents, consents=Consents({}, {}, 3, ())))

    assert "The study holds no consent records: they are kept elsewhere." in page


def test_simulated_subjects_needed_no_consent_and_allow_no_claim(simulated_contents):
    page = datasheet(simulated_contents)

    assert "No person was recorded, so nobody had to consent." in page
    assert "no claim about skin\n  tone" in page
    assert "(`ethics`)" not in page


def test_open_points_stand_at_the_top_and_where_they_belong(contents):
    page = datasheet(contents)
    top = section(page, "Still open")

    assert f"{len(QUESTIONS)} points can only be filled in" in top
    assert re.findall(r"^- `(\w+)`:", top, re.M) == list(QUESTIONS)
    assert set(re.findall(r"^\*\*TO FILL IN\*\* \(`(\w+)`\)", page, re.M)) == set(QUESTIONS)


def test_answers_take_the_place_of_open_points(answered):
    page = datasheet(answered)

    assert "TO FILL IN" not in page
    assert "Still open" not in page
    assert all(f"Answer on {key}." in page for key in QUESTIONS)


@pytest.mark.parametrize("key", ["description", "licence", "contact"])
def test_what_study_json_leaves_open_is_marked(answered, key):
    gap = replace(answered, study={**answered.study, key: None if key != "description" else ""})
    page = datasheet(gap)

    assert list(study_gaps(gap)) == [key]
    assert f"- `{key}` in `study.json`" in page
    assert f"**TO FILL IN** (`{key}` in `study.json`)" in page


def test_many_folds_are_folded_away(contents):
    page = datasheet(contents)

    assert "<summary>Sizes of 3 folds</summary>" in page
    assert re.search(r"\| 0 +\| train \| +2 \| +3 \| +900 \|", page)


def test_a_release_with_nothing_but_shards_has_a_datasheet(contents):
    bare = replace(
        contents,
        labels=(),
        splits=(),
        columns=(),
        ratings=None,
        annotation=None,
        agreement=(),
        consents=None,
        left_out=(),
        captures=(),
        calibrations=(),
        recorded_months=None,
        landmark_models=(),
        versions={},
    )
    page = datasheet(bare)

    assert "There are no labels in this release." in page
    assert "There are no splits in this release" in page
    assert "Nothing was kept back" in page
    assert "Of the cameras nothing is known" in page
    assert "The study holds no ratings of these sessions." in page
