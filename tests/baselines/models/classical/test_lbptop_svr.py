"""Patterns are counted as another program counts them."""

import numpy as np
import pytest
from skimage.feature import local_binary_pattern

from baselines.config import read_config
from baselines.models.classical.lbptop_svr import BINS, block_counts, pattern_bins, patterns
from mavfer.errors import CommandError


def volume(shape=(7, 9, 11), seed=0):
    return np.random.default_rng(seed).integers(0, 6, shape).astype(np.float32)


def changes_around(codes):
    """How often neighbouring bits of the ring differ."""
    bits = (codes[..., None] >> np.arange(8)) & 1
    return (bits != np.roll(bits, 1, axis=-1)).sum(-1)


@pytest.mark.parametrize("plane", [(1, 2), (0, 2), (0, 1)])
def test_neighbours_beside_a_pixel_are_those_of_scikit_image(plane):
    pictures = volume()
    (across,) = {0, 1, 2} - set(plane)

    ours = np.moveaxis(patterns(pictures, plane), across, 0)

    slices = np.moveaxis(pictures, across, 0)[1:-1].astype(np.uint8)
    theirs = np.stack([local_binary_pattern(each, 4, 1, "default") for each in slices])
    theirs = theirs[:, 1:-1, 1:-1].astype(int)  # right, up, left, down
    for bit, place in enumerate((3, 1, 7, 5)):
        assert np.array_equal((ours >> place) & 1, (theirs >> bit) & 1)


def test_the_ring_begins_at_the_upper_left_and_goes_around():
    picture = np.zeros((3, 3, 3), np.float32)
    picture[1, 1, 1] = 1
    ring = [(0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0)]
    codes = []
    for place in ring:
        picture[1][place] = 1
        codes.append(int(patterns(picture, (1, 2))[0, 0, 0]))
        picture[1][place] = 0

    assert codes == [1 << n for n in range(8)]


def test_there_are_58_uniform_patterns_and_one_kind_of_others():
    bins = pattern_bins()
    changes = changes_around(np.arange(256))

    assert (changes <= 2).sum() == 58
    assert sorted(bins[changes <= 2]) == list(range(58))
    assert set(bins[changes > 2]) == {58}


def test_a_still_film_has_flat_patterns_over_time():
    still = np.repeat(volume((1, 9, 11)), 4, axis=0)

    codes = patterns(still, (0, 2))

    before, after = ((codes >> n) & 1 for n in (1, 5))
    assert codes.shape == (2, 7, 9)
    assert before.min() == after.min() == 1  # not below what was and what will be


def test_counts_are_of_every_inner_pixel_and_fall_into_its_block():
    pictures, valid = volume((5, 10, 8)), np.ones(5, bool)

    counts = block_counts(pictures, valid, grid=2)

    assert counts.shape == (3, 3, 4, BINS)
    assert (counts.sum((2, 3)) == 8 * 6).all()
    changed = pictures.copy()
    changed[2, :4, :3] = 99  # the upper left corner
    moved = np.abs(block_counts(changed, valid, grid=2) - counts).sum((0, 1, 3))
    assert moved[0] > 0
    assert moved[3] == 0


def test_patterns_over_time_need_three_frames_that_can_be_used():
    valid = np.array([True, True, False, True, True, True])

    totals = block_counts(volume((6, 9, 9)), valid, grid=1).sum((2, 3))

    assert totals.tolist() == [[49, 0, 0], [0, 0, 0], [49, 0, 0], [49, 49, 49]]


def test_a_grid_finer_than_the_picture_is_named():
    with pytest.raises(CommandError, match="size 5 is too small for a grid of 4"):
        read_config("lbptop_svr", None, ["size=5"])
