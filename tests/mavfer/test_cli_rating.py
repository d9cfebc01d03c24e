import json

import pytest

from mavfer import cli_rating, fusion
from mavfer.cli import run
from mavfer.labelling.label import DEFAULT_METHOD
from mavfer.labelling.protocol import PROTOCOLS


def test_the_methods_offered_are_those_of_fusion():
    assert cli_rating._METHODS == fusion.METHODS
    assert cli_rating._PROTOCOLS == PROTOCOLS
    assert f"[default: {DEFAULT_METHOD}]" in cli_rating.label.params[1].help


@pytest.mark.parametrize(
    ("words", "code", "line"),
    [
        (["agree"], 1, "no ratings yet. Collect them: mavfer annotate collect"),
        (["label", "--reaction", "2"], 1, "no ratings yet"),
        (["label", "--reaction", "soon"], 2, "give a number of seconds, or the word"),
        (["label", "--method", "average"], 2, "Invalid value for '--method'"),
        (["label", "--protocol", "recola"], 1, "no ratings yet"),
        (["label", "--protocol", "recola", "--method", "ewe"], 2, "Leave --method ewe out"),
        (["split"], 2, "leave nobody to train on"),
        (["split", "--folds", "2", "--test", "0.1"], 2, "exclude each other. Give one"),
    ],
)
def test_bad_input_is_answered_in_one_line(study, capsys, words, code, line):
    assert run([words[0], str(study.root), *words[1:]]) == code

    said = capsys.readouterr().err.strip().splitlines()
    assert line in said[-1]


def test_a_label_and_a_split_are_made_and_told_as_json(study, shard_factory, capsys):
    for rater, shift in (("R1", 0.0), ("R2", 0.1)):
        samples = [(t / 30, shift + (t % 13) / 13, 0) for t in range(40)]
        shard_factory.write_rating(study, "S01-001", "arousal", rater, samples)
    root = str(study.root)

    assert run(["label", root, "--reaction", "0", "--method", "mean", "--json"]) == 0
    labelled = json.loads(capsys.readouterr().out)
    assert labelled["sessions"] == ["S01-001"]
    assert labelled["dimensions"]["arousal"]["weights"] == [0.5, 0.5]
    assert run(["agree", root, "--json"]) == 0
    agreed = json.loads(capsys.readouterr().out)
    assert agreed["dimensions"]["arousal"]["overall"]["ccc"]["value"] > 0.8
    assert run(["split", root, "--val", "0", "--test", "0.5", "--json"]) == 0
    divided = json.loads(capsys.readouterr().out)
    assert sorted(divided["folds"][0]) == ["test", "train"]


def test_a_label_by_protocol_says_what_it_noticed_beside_the_result(study, shard_factory, capsys):
    for rater in ("R1", "R2"):
        samples = [(t / 30, (t % 13) / 13, 0) for t in range(40)]
        shard_factory.write_rating(study, "S01-001", "arousal", rater, samples)

    assert run(["label", str(study.root), "--protocol", "recola", "--json"]) == 0
    said = capsys.readouterr()
    assert json.loads(said.out)["method"] == "recola"
    assert said.err.strip().endswith("shorter than 4 s, so that nobody is synchronised")
