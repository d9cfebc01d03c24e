"""A run that was killed goes on and ends as if nothing had happened, to the bit."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from toy_study import NARROW

from baselines import results
from baselines.checkpoint import cut_log, read_checkpoint, write_checkpoint
from baselines.config import read_config
from baselines.train import resume_training, train_model
from mavfer.cli import run as type_command
from mavfer.errors import ChecksumMismatch, CommandError, InvalidFile, NotFound
from mavfer.files import read_jsonl, sha256_of

HARD = (
    *("ema_decay=0.9", "keep_best=true", "modality_dropout=0.5", "accumulate=2", "epochs=4"),
    *("mirror=true", "dropout=0.5"),
)
"""Everything that has a state of its own."""

KILLER = """
import os, signal, sys
import torch
torch.set_num_threads(1)
from baselines import checkpoint
from mavfer.cli import run

save, calls = torch.save, []

def half(state, path):
    calls.append(path)
    save(state, path)
    if len(calls) == 4:
        with open(path, "r+b") as handle:
            handle.truncate(os.path.getsize(path) // 2)
        os.kill(os.getpid(), signal.SIGKILL)

checkpoint.torch.save = half
run(sys.argv[1:])
"""


class Interrupted(Exception):
    """Stands for the moment at which somebody pulls the plug."""


def options(*settings, model="mran"):
    return read_config(model, "demo", [*NARROW, *settings])


def unfinished(study):
    (path,) = study.root.glob("results/*/checkpoint.pt")
    return path.parent


@pytest.fixture
def interrupted(labelled_copy, monkeypatch):
    """A run that stopped after two of four epochs, with a line too many in its log."""

    def stop(self, line):
        whole(self, line)
        if line["epoch"] == 3:
            raise Interrupted

    whole = results.Run.log
    with monkeypatch.context() as patched:
        patched.setattr(results.Run, "log", stop)
        with pytest.raises(Interrupted):
            train_model("mran", labelled_copy.root, options(*HARD), seed=4)
    return unfinished(labelled_copy)


def told(folder):
    lines = read_jsonl(folder / "log.jsonl")
    log = [{k: v for k, v in line.items() if k != "seconds"} for line in lines]
    return log, *(sha256_of(folder / name) for name in ("weights.safetensors", "predictions.csv"))


def test_a_run_that_goes_on_ends_to_the_bit_as_one_that_never_stopped(interrupted, labelled):
    whole, _ = train_model("mran", labelled.root, options(*HARD), seed=4)

    folder, result = resume_training(interrupted)

    assert folder == interrupted
    assert told(folder) == told(whole)
    assert result["labels_sha256"]
    assert not list(folder.glob("checkpoint*"))
    assert not list(whole.glob("checkpoint*"))


def test_a_kill_in_the_middle_of_a_checkpoint_leaves_the_one_before(labelled_copy, tmp_path):
    script = tmp_path / "killer.py"
    script.write_text(KILLER)
    root = Path(results.__file__).parents[1]
    settings = [word for each in (*NARROW, "epochs=4") for word in ("--set", each)]
    words = ["train", "sta", str(labelled_copy.root), "--config", "demo", *settings]
    command = [sys.executable, str(script), *words]
    environment = os.environ | {"PYTHONPATH": str(root), "OMP_NUM_THREADS": "1"}

    killed = subprocess.run(command, env=environment, capture_output=True, check=False)

    assert killed.returncode == -9
    folder = unfinished(labelled_copy)
    assert len(read_jsonl(folder / "log.jsonl")) == 3
    assert type_command(["train", "--resume", str(folder)]) == 0
    whole, _ = train_model("sta", labelled_copy.root, options("epochs=4", model="sta"))
    assert told(folder) == told(whole)


def test_labels_that_changed_are_noticed(interrupted):
    path = interrupted.parents[1] / "labels" / "gold" / "S01-001.csv"
    header, first, *rows = path.read_text().splitlines()
    cells = first.split(",")
    cells[header.split(",").index("arousal")] = "0.125"
    path.write_text("\n".join([header, ",".join(cells), *rows]) + "\n")

    with pytest.raises(ChecksumMismatch, match=r"labels_sha256 changed since the run began"):
        resume_training(interrupted)


def test_a_run_that_ended_is_not_resumed(labelled):
    folder, _ = train_model("sta", labelled.root, options("epochs=1", model="sta"))

    with pytest.raises(CommandError, match="this run ended"):
        resume_training(folder)


def test_without_checkpoints_there_is_nothing_to_resume(tmp_path):
    with pytest.raises(NotFound, match=r"checkpoint.pt: no checkpoint to resume from"):
        read_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"), [(b"PK\x03\x04 torn", "not readable"), (None, "of this version")]
)
def test_a_checkpoint_that_is_none_is_named(tmp_path, content, message):
    if content is None:
        torch.save({"format": "mavfer.checkpoint", "version": 0}, tmp_path / "checkpoint.pt")
    else:
        (tmp_path / "checkpoint.pt").write_bytes(content)

    with pytest.raises(InvalidFile, match=message):
        read_checkpoint(tmp_path)


def test_a_checkpoint_holds_no_code(tmp_path):
    write_checkpoint(tmp_path, {"loop": print})

    with pytest.raises(InvalidFile, match="not readable"):
        read_checkpoint(tmp_path)


def test_a_log_is_cut_where_the_checkpoint_stands(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_text('{"epoch": 1}\n{"epoch": 2}\n{"epo')

    cut_log(path, 1)

    assert path.read_text() == '{"epoch": 1}\n'


@pytest.mark.parametrize(
    "words",
    [["--resume", "run", "--set", "epochs=3"], ["sta", "--resume", "run"], ["sta"], []],
)
def test_a_command_that_says_too_little_or_too_much_is_refused(words, capsys):
    assert type_command(["train", *words]) == 2

    assert "--resume" in capsys.readouterr().err
