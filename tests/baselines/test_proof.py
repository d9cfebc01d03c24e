"""The proof on synthetic data, small: studies are drawn once, runs are kept, values named."""

from dataclasses import replace

import pytest

from baselines.proof import PROOF_ROWS, prove, values_text
from baselines.proof_figure import draw_proof
from baselines.synthetic import DESIGNS
from mavfer.study.study import Study

SMALL = {
    name: replace(design, training_subjects=3, test_subjects=3, frames=16)
    for name, design in DESIGNS.items()
}
FAST = ("epochs=1", "batch_size=4")
ROWS = [
    row
    for row in PROOF_ROWS
    if (row.name, row.design)
    in {("mran", "split"), ("color", "split"), ("color", "decoy"), ("mran", "shuffled")}
]


@pytest.fixture(scope="module")
def proof(tmp_path_factory):
    out = tmp_path_factory.mktemp("proof")
    return out, prove(out, seeds=2, rows=ROWS, designs=SMALL, settings=FAST)


def test_every_value_is_named_after_row_light_and_dimension(proof):
    _, document = proof

    assert set(document["values"]) == {
        f"{name}_{dimension}"
        for name in (
            "mran_bright",
            "mran_dark",
            "color_bright",
            "color_dark",
            "color_decoy",
            "mran_shuffled",
        )
        for dimension in ("arousal", "valence")
    }
    assert all(len(value["seeds"]) == 2 for value in document["values"].values())
    assert set(document["dark_gain"]) == {"arousal", "valence"}


def test_what_ran_before_is_not_trained_again(proof):
    out, document = proof
    runs = {path for path in out.glob("*/results/*") if path.is_dir()}

    again = prove(out, seeds=2, rows=ROWS, designs=SMALL, settings=FAST)

    assert again == document
    assert {path for path in out.glob("*/results/*") if path.is_dir()} == runs
    assert len(runs) == 8
    assert Study.open(out / "split").name == "synthetic: split"


def test_the_proof_is_told_and_drawn(proof, tmp_path):
    _, document = proof

    text = values_text(document)
    draw_proof(document, tmp_path / "proof.svg")

    assert "mran minus color in the dark, valence" in text
    assert "color_decoy_arousal" in text
    assert (tmp_path / "proof.svg").read_text().count("<path") > 20
