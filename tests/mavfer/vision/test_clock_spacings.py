"""What the spacing of stamps says of steps."""

import numpy as np
import pytest

from mavfer.vision.clock_spacings import classify_spacings

PERIOD_NS = 33_333_333


def make_stamps(frames=3000, dropped=()):
    return np.delete(np.arange(frames, dtype=np.int64) * PERIOD_NS, dropped)


def spacings_of(device, resolution_ns=0):
    return classify_spacings(device, device + 10**9, resolution_ns)


def test_spacings_of_a_steady_camera_are_single_whole_or_odd():
    device = np.array([0, 1, 2, 4, 5, 5, 6.5, 7.5, 3, 9, 10]) * PERIOD_NS
    spacings = spacings_of(device.astype(np.int64))

    assert np.flatnonzero(spacings.is_odd).tolist() == [6, 8, 9]
    assert np.flatnonzero(spacings.is_single).tolist() == [1, 2, 4, 7, 10]
    assert np.flatnonzero(spacings.is_impossible).tolist() == [8, 9]


def test_a_step_must_agree_with_the_grid_of_a_steady_camera():
    device = make_stamps(dropped=[1000])
    device[2000:] += 50_000_000
    spacings = spacings_of(device)

    assert spacings.may_step(2000, 50_200_000)
    assert not spacings.may_step(2000, 40_000_000)
    assert not spacings.may_step(1000, 3_000_000)
    assert spacings.may_step(1000, PERIOD_NS)
    assert spacings.may_step(1000, 10**10)


@pytest.mark.parametrize("step_ns", [3_000_000, 16_000_000, 50_000_000, -10_000_000])
def test_the_grid_moves_by_a_step_less_whole_frames(step_ns):
    device = make_stamps(dropped=[1990, 2005])
    device[2000:] += step_ns
    spacings = spacings_of(device)
    expected_ns = step_ns - round(step_ns / PERIOD_NS) * PERIOD_NS

    assert spacings.moved_grids().tolist() == [2000]
    assert spacings.grid_shifts_ns(np.array([2000]))[0] == pytest.approx(expected_ns, abs=1000)


def test_frames_exposed_late_move_no_grid():
    device = make_stamps()
    device[[500, 900, 901, 902, 2500]] += [9_000_000, 4_000_000, 12_000_000, 3_000_000, 15_000_000]
    spacings = spacings_of(device)

    assert spacings.is_odd[[500, 501, 900, 2500]].all()
    assert spacings.moved_grids().size == 0
    assert np.abs(spacings.grid_shifts_ns(np.array([500, 901, 2501]))).max() < 1000


def test_stamps_that_count_in_milliseconds_keep_their_grid():
    device = make_stamps() // 1_000_000 * 1_000_000
    spacings = spacings_of(device, 1_000_000)

    assert spacings.period_ns == pytest.approx(PERIOD_NS, rel=1e-4)
    assert spacings.moved_grids().size == 0


def test_a_small_step_does_not_make_all_frames_odd():
    device = make_stamps(60)
    device[30:] += 5_000_000

    assert np.flatnonzero(spacings_of(device).is_odd).tolist() == [30]


def test_regular_stamps_show_that_there_is_no_step():
    device = make_stamps(dropped=[1000])
    device[2000:] += 50_000_000
    spacings = spacings_of(device)

    assert spacings.is_regular(1000, 3_000_000)
    assert not spacings.is_regular(1000, 2 * PERIOD_NS)
    assert not spacings.is_regular(2000, 50_000_000)


def test_unsteady_stamps_show_nothing():
    device = make_stamps() + np.random.default_rng(1).integers(0, 10_000_000, 3000)
    spacings = spacings_of(device)

    assert spacings.period_ns == 0
    assert spacings.may_step(1000, 3_000_000)
    assert not spacings.is_regular(1000, 3_000_000)
    assert spacings.moved_grids().size == 0
