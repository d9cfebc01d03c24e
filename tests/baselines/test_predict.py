"""Whole sessions are predicted frame by frame, from windows that overlap."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from toy_study import FRAMES, NARROW

import mavfer
from baselines.config import read_config
from baselines.data import session_view
from baselines.models.output import Output
from baselines.predict import predict_session

CONFIG = read_config("sta", "demo", NARROW)
CPU = torch.device("cpu")


class Echo(torch.nn.Module):
    """Predicts each frame's own mean depth, so that it shows which frames it was given."""

    def forward(self, frames, valid):
        depth = frames["depth"].mean((2, 3, 4))
        maps = torch.full((*depth.shape, 2, 2), 0.25)
        return Output(depth[..., None], {"depth": maps})


@pytest.fixture
def view(labelled):
    recording = mavfer.load(labelled.root, modalities=("depth",))[0]
    made = session_view(recording, CONFIG, ("arousal",))
    ramp = np.arange(FRAMES, dtype=np.float16)[:, None, None, None]
    return replace(made, frames={"depth": np.ones_like(made.frames["depth"]) * ramp})


@pytest.mark.parametrize("stride", [1, 2, 5, 7, 60])
@pytest.mark.parametrize("length", [1, 4, 6, 100])
def test_every_frame_gets_its_own_prediction(view, stride, length):
    config = replace(CONFIG, frames=length)

    predicted = predict_session(Echo(), view, config, stride, CPU)

    np.testing.assert_allclose(predicted.values[:, 0], np.arange(FRAMES), atol=1e-9)
    np.testing.assert_allclose(predicted.attention["depth"].sum((1, 2)), 1, atol=1e-6)


def test_where_nothing_was_seen_the_value_lies_between_its_neighbours(view):
    bits = np.ones(FRAMES, bool)
    bits[[0, 10, 11, 12]] = False
    frames = view.frames["depth"].copy()
    frames[~bits] = 999

    gappy = replace(view, valid={"depth": bits}, frames={"depth": frames})
    values = predict_session(Echo(), gappy, CONFIG, 1, CPU).values[:, 0]

    np.testing.assert_allclose(values[8:15], np.arange(8, 15), atol=1e-9)
    assert values[0] == values[1] == 1


def test_a_session_that_shows_no_face_is_not_predicted(view):
    blind = replace(view, valid={"depth": np.zeros(FRAMES, bool)})

    assert np.isnan(predict_session(Echo(), blind, CONFIG, 1, CPU).values).all()
