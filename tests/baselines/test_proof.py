"""The proof on synthetic data, small: studies are drawn once, runs are kept, values named."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

import mavfer
from baselines.config import read_config
from baselines.models import MODELS, build_model
from baselines.proof import prove, values_text
from baselines.proof_figure import draw_proof
from baselines.proof_rows import PROOF_ROWS, RIG_ROWS
from baselines.synthetic import DESIGNS, SPLIT, TRUTH, make_study, write_known_label
from mavfer.errors import Busy, CommandError
from mavfer.files import locked
from mavfer.study.labels import read_label
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
    in {
        ("mran", "split"),
        ("color", "split"),
        ("mean", "split"),
        ("color", "decoy"),
    }
]


@pytest.fixture(scope="module")
def proof(tmp_path_factory):
    out = tmp_path_factory.mktemp("proof")
    return out, prove(out, seeds=2, rows=ROWS, designs=SMALL, settings=FAST, jobs=2)


def test_every_value_is_named_after_row_light_and_dimension(proof):
    _, document = proof

    assert set(document["values"]) == {
        f"{name}_{dimension}"
        for name in (
            "mran_bright",
            "mran_dark",
            "color_bright",
            "color_dark",
            "mean_bright",
            "mean_dark",
            "color_decoy",
        )
        for dimension in ("arousal", "valence")
    }
    assert all(len(value["seeds"]) == 2 for value in document["values"].values())
    assert set(document["dark_gain"]) == {"arousal", "valence"}


def test_what_ran_before_is_not_trained_again(proof):
    out, document = proof
    runs = {path for path in out.glob("*/results/*") if path.is_dir()}

    again = prove(out, seeds=2, rows=ROWS, designs=SMALL, settings=FAST)

    assert again.pop("cpu_seconds") == {}
    assert again == {name: part for name, part in document.items() if name != "cpu_seconds"}
    assert {path for path in out.glob("*/results/*") if path.is_dir()} == runs
    assert len(runs) == 8
    assert Study.open(out / "split").name == "synthetic: split"


def test_what_rests_on_other_labels_is_trained_again(proof, tmp_path):
    out, _ = proof
    rows = [row for row in ROWS if (row.name, row.design) == ("color", "decoy")]
    shutil.copytree(out / "decoy", tmp_path / "decoy")
    study = Study.open(tmp_path / "decoy")
    rated = read_label(study, TRUTH, "T001-001", 16, ("arousal", "valence")).values
    known = {name: -values.astype(float) for name, values in rated.items()}
    write_known_label(study, "T001-001", np.arange(16) / 10, known, settings={})

    prove(tmp_path, seeds=2, rows=rows, designs=SMALL, settings=FAST)

    assert len(list((tmp_path / "decoy" / "results").iterdir())) == 4


def test_runs_side_by_side_are_those_of_one_after_the_other(proof, tmp_path):
    _, document = proof
    rows = [row for row in ROWS if (row.name, row.design) == ("color", "decoy")]

    alone = prove(tmp_path, seeds=2, rows=rows, designs=SMALL, settings=FAST)

    for dimension in ("arousal", "valence"):
        name = f"color_decoy_{dimension}"
        assert alone["values"][name] == document["values"][name]
    assert [len(costs) for costs in alone["cpu_seconds"].values()] == [2]
    assert all(len(costs) == 2 for costs in document["cpu_seconds"].values())


def test_a_study_whose_drawing_was_cut_short_is_drawn_anew(tmp_path):
    rows = [row for row in PROOF_ROWS if (row.name, row.design) == ("mean", "split")]
    part = tmp_path / ".split.part"
    make_study(part, replace(SMALL["split"], frames=4))
    (part / "splits" / f"{SPLIT}.json").unlink()

    prove(tmp_path, seeds=1, rows=rows, designs=SMALL)

    assert not part.exists()
    assert len(mavfer.load(tmp_path / "split", labels=TRUTH)[0].arousal) == 16


def test_two_proofs_in_one_folder_are_refused(tmp_path):
    with (
        locked(tmp_path / ".proof.lock", "the test holds it"),
        pytest.raises(Busy, match="a proof is run by another process"),
    ):
        prove(tmp_path, rows=[])


def test_an_unknown_option_is_refused_before_anything_is_drawn(tmp_path):
    with pytest.raises(CommandError, match="nonsense"):
        prove(tmp_path / "proof", rows=ROWS, designs=SMALL, settings=("nonsense=1",))

    assert not (tmp_path / "proof").exists()


def test_a_run_that_fails_beside_others_is_told_at_once(tmp_path):
    rows = [row for row in PROOF_ROWS if (row.name, row.design) == ("color", "split")]

    with pytest.raises(CommandError, match="the loss is nan"):
        prove(tmp_path, rows=rows, designs=SMALL, settings=("learning_rate=1e30",), jobs=2)


def test_every_model_is_on_the_table_and_compared_with_the_mean(proof):
    _, document = proof
    on_the_table = {row.model for row in PROOF_ROWS if row.design == "split"}

    assert on_the_table == set(MODELS)
    assert set(document["over_mean"]) == {"mran", "color"}
    assert document["values"]["mean_bright_arousal"]["mean"] == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("row", PROOF_ROWS + RIG_ROWS, ids=lambda row: f"{row.name}-{row.design}")
def test_every_row_has_a_configuration_that_fits(row):
    size = [] if row.design == "rig" else [f"size={DESIGNS[row.design].size}"]
    config = read_config(row.model, row.config, [*size, *row.settings])

    if MODELS[row.model].kind == "network":
        assert config.is_narrow
        build_model(row.model, config, row.streams, ("arousal", "valence"))


def test_the_proof_is_told_and_drawn(proof, tmp_path):
    _, document = proof

    text = values_text(document)
    draw_proof(document, tmp_path / "proof.svg")

    assert "mran minus color in the dark, valence" in text
    assert "color minus mean, arousal" in text
    assert "color_decoy_arousal" in text
    assert (tmp_path / "proof.svg").read_text().count("<path") > 20
