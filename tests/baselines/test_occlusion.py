"""Hiding a place shows whether an answer rested on it."""

import numpy as np
import pytest
import torch

from baselines.models.output import Output
from baselines.occlusion import occlusion_maps, squares
from mavfer.errors import CommandError


class Corner(torch.nn.Module):
    """Tells the mean of the upper left 4x4 pixels of each frame; a class by its sign."""

    def __init__(self, has_classes=False):
        super().__init__()
        self.has_classes = has_classes
        self.given = []

    def forward(self, frames, valid):
        self.given.append(frames["depth"].shape[0])
        corner = frames["depth"][..., :4, :4].mean((2, 3, 4))
        logits = torch.stack([0.3 - corner, corner - 0.3], -1) if self.has_classes else None
        return Output(corner[..., None], {}, logits)


def clip(value=1.0):
    return {"depth": torch.full((1, 3, 1, 8, 8), value)}, {"depth": torch.ones(1, 3)}


def maps(model, **options):
    chosen = {"at": 1, "hidden": ("depth",), "side": 4, "step": 4} | options
    return occlusion_maps(model, *clip(), **chosen)


def test_squares_cover_every_pixel_and_begin_at_the_upper_left():
    covered = squares(10, 4, 3)

    assert [(s.top, s.left) for s in covered[:3]] == [(0, 0), (0, 3), (0, 6)]
    picture = np.zeros((11, 11))
    for square in squares(11, 4, 3):
        picture[square.region] += 1
    assert picture.min() >= 1


def test_a_value_moves_where_it_came_from():
    moved = maps(Corner()).moved

    assert moved.shape == (1, 8, 8)
    assert (moved[0, :4, :4] == 1).all()
    assert (moved[0, 4:] == 0).all()
    assert (moved[0, :, 4:] == 0).all()


def test_a_pixel_has_the_mean_of_the_squares_over_it():
    moved = maps(Corner(), side=4, step=2).moved[0]

    assert moved[0, 0] == 1
    assert moved[0, 2] == pytest.approx((1 + 0.5) / 2)  # all of the corner, and half of it


def test_a_label_flips_only_where_it_rested_and_only_to_a_wrong_one():
    model = Corner(has_classes=True)

    right, unknown, wrong = (maps(model, expression=e).flipped for e in (1, -1, 0))

    assert (right[:4, :4] == 1).all()
    assert right[4:].max() == right[:, 4:].max() == 0
    assert np.array_equal(unknown, right)
    assert wrong.max() == 0  # what flips to the true class is no mistake
    assert maps(Corner()).flipped is None


def test_only_hidden_streams_are_changed():
    assert maps(Corner(), hidden=()).moved.max() == 0


def test_the_clip_itself_stays_whole():
    frames, valid = clip()

    occlusion_maps(Corner(), frames, valid, at=0, hidden=("depth",), side=4, step=4)

    assert (frames["depth"] == 1).all()


def test_the_network_is_given_so_many_at_once():
    model = Corner()

    maps(model, side=4, step=2, at_once=4)

    assert model.given == [1, 4, 4, 1]


@pytest.mark.parametrize(("side", "step"), [(9, 4), (4, 5), (4, 0)])
def test_squares_that_do_not_fit_are_named(side, step):
    with pytest.raises(CommandError, match=r"square of . pixels in steps of . on 8 pixels"):
        squares(8, side, step)
