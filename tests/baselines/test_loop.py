"""The loop: accumulation, averaging, stopping early, mixed precision, recomputation."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from toy_study import NARROW

import mavfer
from baselines.config import read_config
from baselines.data import session_view
from baselines.loop import Loop, Material
from baselines.models import build_model
from baselines.models.output import Answers
from mavfer.errors import CommandError

BOTH = ("arousal", "valence")
CPU = torch.device("cpu")
QUIET = ("shift_pixels=0", "mirror=false", "schedule=constant", "learning_rate=0.05")


class Tiny(nn.Module):
    """Answers from the mean of a frame, so that an epoch takes no time."""

    def __init__(self, classes=()):
        super().__init__()
        self.answers = Answers(1, BOTH, classes)
        self.drop = nn.Dropout(0.2)

    def forward(self, frames, valid):
        shown = frames["thermal"].mean((2, 3, 4)) * valid["thermal"]
        return self.answers(self.drop(shown[..., None]))


def options(*settings):
    return read_config("sta", "demo", [*NARROW, *QUIET, *settings])


@pytest.fixture(scope="module")
def recordings(labelled):
    return mavfer.load(labelled.root, modalities=("thermal",)).split("train")


def loop(recordings, *settings, model=None, validate=("S03-001",), **changed):
    config = options(*settings)
    views = {r.session: session_view(r, config, BOTH) for r in recordings}
    views = {name: replace(view, **changed) for name, view in views.items()}
    clips = recordings.clips(length=config.frames, hop=config.hop, start="random", seed=1)
    torch.manual_seed(0)
    classes = ("calm", "glad", "sad") if changed else ()
    material = Material(clips, views, validate, BOTH, classes, 1)
    return Loop(model or Tiny(classes), config, material, CPU, seed=1)


def trained(made):
    lines = []
    model = made.run("train tiny", lines.append)
    return model, lines


def weights(model):
    return torch.cat([weight.detach().flatten() for weight in model.parameters()])


def test_an_epoch_has_a_step_for_every_bundle_of_batches(recordings):
    assert loop(recordings).steps == 4
    assert loop(recordings, "accumulate=3").steps == 2


def test_gradients_of_accumulated_batches_are_averaged(recordings):
    plain, bundled = (loop(recordings, f"accumulate={count}", "epochs=1") for count in (1, 4))
    gradients = []
    plain.model.eval()
    for batch in _batches(plain):
        plain.model.zero_grad()
        plain._loss(plain._output(batch), batch).backward()
        gradients.append(weights_of_gradient(plain.model))
    bundled.model.eval()
    bundled.model.train = lambda *_: None
    bundled._step = lambda: None
    bundled.run("train tiny", lambda line: None)

    torch.testing.assert_close(
        weights_of_gradient(bundled.model), torch.stack(gradients).mean(0), atol=1e-6, rtol=1e-5
    )


def _batches(made):
    from baselines.data import batches

    return batches(made.material.clips, made.material.views, made.config, epoch=0, seed=1)


def weights_of_gradient(model):
    return torch.cat([weight.grad.flatten() for weight in model.parameters()])


def test_the_average_follows_the_weights_and_is_what_is_kept(recordings):
    made = loop(recordings, "epochs=3", "ema_decay=0.5")
    before = weights(made.model).clone()
    steps, expected = [], before

    follow = made.averaged.follow
    made.averaged.follow = lambda model: (steps.append(weights(model).clone()), follow(model))
    model, _ = trained(made)

    for number, each in enumerate(steps, 1):
        decay = min(0.5, (1 + number) / (10 + number))
        expected = decay * expected + (1 - decay) * each
    torch.testing.assert_close(weights(model), expected)
    assert not torch.equal(weights(model), weights(made.model))


def test_training_stops_when_nothing_gets_better(recordings):
    made = loop(recordings, "epochs=30", "patience=2", "learning_rate=1e-12")

    _, lines = trained(made)

    scores = [np.mean(list(line["val"].values())) for line in lines]
    best = int(np.argmax(scores))
    assert len(lines) == best + 3 < 30


def test_without_patience_it_never_stops_early(recordings):
    _, lines = trained(loop(recordings, "epochs=5", "learning_rate=1e-12"))

    assert len(lines) == 5


def test_the_best_weights_come_back(recordings):
    made = loop(recordings, "epochs=6", "keep_best=true", "learning_rate=1.0")
    seen = []

    def remember(line):
        seen.append((np.mean(list(line["val"].values())), weights(made.model).clone()))

    model = made.run("train tiny", remember)

    best = max(seen, key=lambda pair: pair[0])
    assert torch.equal(weights(model), best[1])


def test_without_a_part_val_training_goes_to_its_end(recordings):
    made = loop(recordings, "epochs=2", "patience=1", "keep_best=true", validate=())

    _, lines = trained(made)

    assert [line["val"] for line in lines] == [{}, {}]


def test_a_loss_that_is_no_number_stops_with_what_to_do(recordings):
    made = loop(recordings)
    made.model.answers.values.weight.data.fill_(torch.nan)

    with pytest.raises(CommandError, match=r"the loss is nan in epoch 1\. Lower learning_rate"):
        trained(made)


def test_mixed_precision_learns_nearly_the_same(recordings):
    plain, mixed = (
        trained(loop(recordings, "epochs=3", f"precision={name}"))[1]
        for name in ("float32", "bf16")
    )

    assert mixed[-1]["loss"] == pytest.approx(plain[-1]["loss"], rel=0.05)
    assert mixed[-1]["loss"] != plain[-1]["loss"]


def test_recomputing_the_encoder_changes_no_weight(recordings):
    learned = []
    for setting in ("false", "true"):
        config = options()
        torch.manual_seed(0)
        model = build_model("sta", config, ("thermal",), BOTH)
        made = loop(recordings, "epochs=1", f"recompute_encoder={setting}", model=model)
        learned.append(weights(trained(made)[0]))

    assert torch.equal(*learned)


def test_an_encoder_that_is_recomputed_remembers_less(recordings):
    remembered = []
    for setting in ("false", "true"):
        model = build_model("sta", options(), ("thermal",), BOTH)
        made = loop(recordings, f"recompute_encoder={setting}", model=model)
        held = []
        batch = next(iter(_batches(made)))

        def hold(tensor, held=held):
            held.append(tensor.numel())
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(hold, lambda tensor: tensor):
            made._output(batch)
        remembered.append(sum(held))

    assert remembered[1] < remembered[0]


def test_classes_are_learned_beside_the_dimensions(recordings):
    expression = np.arange(48) % 3
    made = loop(recordings, "epochs=2", "task=both", expression=expression)

    _, lines = trained(made)

    assert set(lines[-1]) >= {"train_expression", "val_expression"}
    assert set(lines[-1]["val_expression"]) == {"accuracy", "f1_macro"}
    assert lines[-1]["loss"] < lines[0]["loss"]


def test_a_networks_own_penalty_is_added(recordings):
    plain, charged = loop(recordings), loop(recordings)
    charged.model.penalty = lambda: torch.tensor(0.25)
    batch = next(iter(_batches(plain)))
    losses = []
    for made in (plain, charged):
        made.model.eval()
        losses.append(made._loss(made._output(batch), batch).item())

    assert losses[1] == pytest.approx(losses[0] + 0.25)
