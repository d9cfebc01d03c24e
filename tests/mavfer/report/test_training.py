import re

import pytest
from study_parts import SCORED, predictions, write_attention, write_run

from mavfer.errors import InvalidFile, NotFound
from mavfer.report.scores import comparisons
from mavfer.report.training import training_sections


def sections(study, dataset):
    """The sections by their headings."""
    found = training_sections(dataset, comparisons(study)[0])
    return {re.search("<h2>(.*?)</h2>", each).group(1): each for each in found}


def test_curves_and_predictions_name_every_model_and_lighting(lit_study, dataset):
    for model in ("sta", "mran"):
        write_run(lit_study, model)

    page = sections(lit_study, dataset)["Training and predictions"]

    for word in ("sta", "mran", "label", "loss", "CCC while training"):
        assert f">{word}</text>" in page
    assert "S02-001, bright" in page
    assert "S02-002, dark" in page


def test_validation_is_drawn_where_there_was_one(lit_study, dataset):
    log = write_run(lit_study) / "log.jsonl"
    assert "part val" not in sections(lit_study, dataset)["Training and predictions"]

    log.write_text(log.read_text().replace('"val": {}', '"val": {"arousal": 0.2}'))
    assert ">sta, part val</text>" in sections(lit_study, dataset)["Training and predictions"]


def test_without_attention_there_is_no_such_section(lit_study, dataset):
    folder = write_run(lit_study)
    assert list(sections(lit_study, dataset)) == ["Training and predictions"]

    write_attention(folder)
    page = sections(lit_study, dataset)["Attention"]
    assert re.findall('<span>(.*?)</span><img alt="', page) == ["color, bright", "color, dark"]


def test_attention_has_a_row_for_each_stream(lit_study, dataset):
    folder = write_run(lit_study, modalities=["color", "depth", "thermal"])
    write_attention(folder, streams=("color", "depth", "thermal"), sessions=SCORED[:1])

    page = sections(lit_study, dataset)["Attention"]

    names = re.findall('<span>(.*?)</span><img alt="', page)
    assert names == ["color, bright", "depth, bright", "thermal, bright"]


def test_sessions_preprocessed_to_other_frames_since_are_not_drawn(lit_study, dataset):
    write_attention(write_run(lit_study, columns=predictions(frames=50)))

    found = sections(lit_study, dataset)

    assert list(found) == ["Training and predictions"]
    assert "bright" not in found["Training and predictions"]


@pytest.mark.parametrize(
    ("text", "reason"),
    [('{"epoch": 1, "lo', r"line 1: not JSON"), ('{"epoch": 1}', r"line 1: tells of no epoch")],
)
def test_a_broken_log_is_named(lit_study, dataset, text, reason):
    log = write_run(lit_study) / "log.jsonl"

    log.write_text(text)
    with pytest.raises(InvalidFile, match=rf"log\.jsonl, {reason}"):
        sections(lit_study, dataset)
    log.unlink()
    with pytest.raises(NotFound, match=r"log\.jsonl: is missing"):
        sections(lit_study, dataset)
