import numpy as np

from mavfer.fusion.stretches import block_means, stretches_of

NAN = float("nan")


def test_a_frame_at_which_nobody_rates_ends_a_stretch():
    traces = np.array([[NAN, 1, 2, NAN, NAN, 3], [NAN, NAN, 1, NAN, 5, NAN]])

    assert stretches_of(traces) == [slice(1, 3), slice(4, 6)]
    assert stretches_of(np.full((2, 3), NAN)) == []


def test_blocks_do_not_reach_over_the_end_of_a_stretch():
    traces = np.array([[1, 3, 5, NAN, 7, 9], [NAN, 2, NAN, NAN, NAN, 4]])

    blocks = block_means(traces, 2)

    np.testing.assert_array_equal(blocks, [[2, 5, NAN, 8], [2, NAN, NAN, 4]])


def test_a_block_needs_half_of_its_frames():
    blocks = block_means(np.array([[1.0, NAN, NAN, NAN, 2.0, 4.0]] * 2), 3)

    np.testing.assert_array_equal(blocks[0], [NAN, NAN, 3])


def test_blocks_of_one_frame_are_the_frames():
    traces = np.array([[1.0, NAN, 2.0]])

    assert block_means(traces, 1) is traces
    assert block_means(np.full((2, 4), NAN), 2).shape == (2, 0)
