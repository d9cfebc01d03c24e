from pathlib import Path
from runpy import run_path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mavfer.errors import InvalidArray, NotAligned
from mavfer.vision.clocks import fit_clock, in_order, trust_host_stamps

CLOCK_FIT = run_path(str(Path(__file__).parents[3] / "benchmarks" / "clock_fit.py"))
PERIOD_NS = 33_333_333
SHORTEST_DELAY_NS = 4_000_000
BOOT_NS = 987_654_321_012_345


def make_take(seconds, drift_ppm, seed, burst_share=0.02):
    """Device stamps, arrivals and true host times + shortest delay of a 30 fps take."""
    rng = np.random.default_rng(seed)
    frames = max(1, round(seconds * 30))
    exposure = np.arange(frames, dtype=np.int64) * PERIOD_NS
    exposure = exposure[rng.random(frames) > 0.01] if frames > 10 else exposure
    device = 5_000_000_000_000 + exposure + np.rint(exposure * drift_ppm * 1e-6).astype(np.int64)
    delay = rng.exponential(2e6, len(exposure))
    delay += (rng.random(len(exposure)) < burst_share) * rng.exponential(40e6, len(exposure))
    earliest = BOOT_NS + exposure + SHORTEST_DELAY_NS
    return device, np.maximum.accumulate(earliest + delay.astype(np.int64)), earliest


def fit_takes(situation, seeds):
    """Errors of all frames in ms, and for each take its fit and whether its bound held."""
    errors, fits, held = [], [], []
    for seed in seeds:
        take = CLOCK_FIT["simulate_take"](seed, **CLOCK_FIT["SITUATIONS"][situation])
        fit = fit_clock(take.device_ns, take.host_ns)
        error = np.abs(fit.to_host(take.device_ns) - take.truth_ns)
        errors.append(error / 1e6)
        fits.append(fit)
        held.append(bool((error <= fit.uncertainty_ns).all()))
    return np.concatenate(errors), fits, held


def test_fit_reaches_its_target_and_its_bound_holds():
    situation = "target: 10 min, step of 50 ms, roll-over"
    errors, fits, held = fit_takes(situation, range(50))
    causes = {tuple(sorted(piece.cause for piece in fit.pieces)) for fit in fits}
    steps = [piece.jump_ns for fit in fits for piece in fit.pieces if piece.cause == "step"]

    assert np.median(errors) <= 0.01
    assert np.percentile(errors, 99) <= 0.02
    assert sum(held) >= 48
    assert max(np.median(fit.uncertainty_ns) for fit in fits) < 0.1e6
    assert causes == {("start", "step", "wrap")}
    np.testing.assert_allclose(np.abs(steps), 50e6, atol=0.05e6)


@pytest.mark.parametrize(
    ("situation", "most_ms"),
    [
        ("four steps", 0.05),
        ("unplugged for 8 s", 0.02),
        ("three wrong stamps", 0.05),
        ("warms up, +4 ppm", 0.15),
        ("stamps jitter by a tenth of a frame", 0.02),
        ("stamps of 1 ms", 0.6),
        ("arrivals at USB frames", 0.06),
        ("delays gamma 2", 0.15),
        ("9 Hz", 0.1),
        ("10 s, step of 50 ms", 2.0),
        ("10 s, 9 Hz", 1.0),
        ("loaded, 6 s", 0.5),
        ("loaded, 60 s, woken late, step of 50 ms", 0.5),
    ],
)
def test_fit_and_bound_hold_in_other_takes(situation, most_ms):
    errors, fits, held = fit_takes(situation, range(5))

    assert all(held)
    assert np.percentile(errors, 99) <= most_ms
    assert max(np.median(fit.uncertainty_ns) for fit in fits) / 1e6 <= 5 * max(most_ms, 0.05)


@pytest.mark.parametrize("moved", [slice(9000, None), slice(0, 9000)])
def test_a_delay_that_changes_for_good_is_no_step_of_a_steady_camera(moved):
    device, host, truth = make_take(600, 40, 7)
    host[moved] += 3_000_000
    host = np.maximum.accumulate(host)

    fit = fit_clock(device, host)
    error = np.abs(fit.to_host(device) - truth)

    assert [piece.cause for piece in fit.pieces] == ["start"]
    assert fit.bound_ms > 0.5
    assert (error <= fit.uncertainty_ns).all()


def test_frames_that_wait_for_two_seconds_are_late_and_no_step():
    device, host, truth = make_take(120, 40, 8)
    host[1000:1060] = host[1060]
    fit = fit_clock(device, host)

    assert len(fit.pieces) == 1
    assert np.abs(fit.to_host(device) - truth).max() < 0.1e6


def test_late_frames_beside_a_step_of_an_unsteady_camera_are_uncertain():
    take = CLOCK_FIT["simulate_take"](3, seconds=120, jitter=0.1)
    device, host = take.device_ns, take.host_ns
    device[2000:] += 50_000_000
    host[2000:2020] += 60_000_000
    host = np.maximum.accumulate(host)
    fit = fit_clock(device, host)
    error = np.abs(fit.to_host(device) - take.truth_ns)

    assert error.max() > 40e6
    assert (error <= fit.uncertainty_ns).all()


@pytest.mark.parametrize("step_ns", [50_000_000, -50_000_000])
def test_a_short_piece_of_late_frames_alone_is_uncertain(step_ns):
    device, host, truth = make_take(20, 40, 13)
    device[-30:] += step_ns
    host[-30:] += 60_000_000
    host[200:230] += 90_000_000
    host = np.maximum.accumulate(host)
    fit = fit_clock(device, host)
    error = np.abs(fit.to_host(device) - truth)

    assert error[-30:].min() > 30e6
    assert (error <= fit.uncertainty_ns).all()
    assert np.median(fit.uncertainty_ns) < 1e6


def test_pieces_tell_where_the_stamps_jumped_and_by_how_much():
    device, host, truth = make_take(60, 20, 9)
    device[700:] -= 200_000_000
    fit = fit_clock(device, host)
    start, step = fit.pieces

    assert (start.first_frame, start.frames, start.cause, start.jump_ns) == (0, 700, "start", 0)
    assert (step.first_frame, step.frames, step.cause) == (700, len(device) - 700, "step")
    assert step.jump_ns == pytest.approx(-200e6, abs=0.2e6)
    assert step.uncertainty_ms == fit.uncertainty_ns[700:].max() / 1e6
    assert np.abs(fit.to_host(device) - truth).max() < 0.2e6


def test_frames_say_which_piece_a_stamp_belongs_to():
    device, host, _ = make_take(60, 20, 9)
    device[700:] -= 200_000_000
    fit = fit_clock(device, host)
    chosen = np.array([1200, 3, 699, 700])

    picked = fit.to_host(device[chosen], chosen)

    np.testing.assert_array_equal(picked, fit.to_host(device)[chosen])
    with pytest.raises(InvalidArray, match="jumped 1 times, so that"):
        fit.to_host(device[chosen])


def test_a_straight_clock_maps_any_stamp():
    device, host, truth = make_take(60, 20, 9)
    fit = fit_clock(device, host)
    later = fit.to_host(device[-1:] + 30 * 10**9)

    assert later[0] == pytest.approx(truth[-1] + 30e9, abs=2e6)


def test_stamps_that_stand_still_for_a_while_are_uncertain():
    device, host, truth = make_take(120, 20, 10)
    device[500:800] = device[500]
    fit = fit_clock(device, host)
    error = np.abs(fit.to_host(device) - truth)

    assert fit.is_usable
    assert error[799] > 1e9
    assert (error <= fit.uncertainty_ns).all()


def test_times_are_brought_in_order_by_the_unsure_ones():
    host = np.array([10, 20, 45, 30, 40, 5, 50]) * 1_000_000
    sure, unsure = 10_000, 100_000_000
    uncertainty = np.array([sure, sure, unsure, sure, sure, unsure, sure])

    ordered = in_order(host, uncertainty) // 1_000_000

    assert ordered.tolist() == [10, 20, 30, 30, 40, 40, 50]


def test_a_known_coarse_resolution_widens_the_bound():
    device, host, _ = make_take(60, 20, 9)
    plain, coarse = fit_clock(device, host), fit_clock(device, host, resolution_ns=10**6)

    np.testing.assert_allclose(coarse.uncertainty_ns - plain.uncertainty_ns, 10**6, atol=1)


def test_fit_is_not_biased_like_least_squares():
    device, host, truth = make_take(60, 50, 3)
    x = (device - device[0]).astype(float)
    line = np.polyfit(x, (host - host[0]).astype(float), 1)
    squares_error = np.median(np.abs(np.polyval(line, x) + host[0] - truth))

    ours = np.median(np.abs(fit_clock(device, host).to_host(device) - truth))

    assert ours < squares_error / 10


def test_fit_reports_drift_and_delays():
    device, host, truth = make_take(300, -60, 1)

    fit = fit_clock(device, host)

    assert fit.drift_ppm == pytest.approx(60, abs=1)
    assert fit.residual_median_ms == pytest.approx(np.median(host - truth) / 1e6, abs=0.1)
    assert fit.residual_max_ms >= fit.residual_p95_ms >= fit.residual_median_ms
    assert fit.bound_ms < 0.3
    assert fit.frames == len(device)


def test_bound_tells_of_a_clock_that_does_not_run_straight():
    device, host, _ = make_take(300, 0, 1)
    bent = host + (20e6 * np.sin(np.linspace(0, np.pi, len(host)))).astype(np.int64)

    assert fit_clock(device, bent).bound_ms > 5


def test_arrival_stamps_are_left_as_they_are():
    _, host, _ = make_take(20, 0, 2)
    fit = fit_clock(host, host)

    np.testing.assert_array_equal(fit.to_host(host), host)
    assert fit.drift_ppm == 0
    assert fit.residual_max_ms == 0


def test_nanoseconds_survive_large_stamps():
    device = np.array([2**61 + 1, 2**61 + 1 + PERIOD_NS, 2**61 + 1 + 2 * PERIOD_NS])
    host = device - 2**60

    np.testing.assert_array_equal(fit_clock(device, host).to_host(device), host)


def test_one_frame_maps_to_its_arrival():
    fit = fit_clock(np.array([77]), np.array([BOOT_NS]))

    assert fit.to_host(np.array([77]))[0] == BOOT_NS
    assert fit.is_usable


def test_two_frames_do_not_invent_a_drift():
    fit = fit_clock(np.array([0, PERIOD_NS]), np.array([BOOT_NS, BOOT_NS + PERIOD_NS + 9_000_000]))

    assert abs(fit.drift_ppm) <= 500
    assert fit.to_host(np.array([0]))[0] == BOOT_NS


def test_constant_stamps_are_said_to_be_unusable():
    fit = fit_clock(np.full(30, 5), BOOT_NS + np.arange(30) * PERIOD_NS)

    assert not fit.is_usable
    assert fit.drift_ppm == 0


def test_repeated_stamps_are_allowed():
    device, host, truth = make_take(20, 30, 4)
    again = np.repeat(device, 2)

    fit = fit_clock(again, np.repeat(host, 2))

    assert np.abs(fit.to_host(device) - truth).max() < 0.3e6


def test_one_wrong_stamp_costs_one_frame():
    device, host, truth = make_take(1, 0, 11, burst_share=0)
    device[12] = 0
    fit = fit_clock(device, host)
    error = np.abs(fit.to_host(device) - truth)

    assert [piece.first_frame for piece in fit.pieces] == [0, 12, 13]
    assert np.delete(error, 12).max() < 1e6
    assert (error <= fit.uncertainty_ns).all()


def test_stamps_that_jump_all_the_time_are_refused_with_the_first_frame():
    device, host, _ = make_take(10, 0, 12)
    device[7:] += 10**9
    device[7::3] -= np.arange(len(device[7::3])) * 10**9

    with pytest.raises(NotAligned, match=r"jump \d+ times in \d+ frames, first at frame \d+"):
        fit_clock(device, host)


short_takes = st.fixed_dictionaries(
    {
        "frames": st.sampled_from([1, 2, 5, 10, 27, 60, 200]),
        "rate_hz": st.sampled_from([9, 15, 30, 60]),
        "mean_ms": st.sampled_from([0.2, 1, 5, 20]),
        "busy": st.sampled_from([0, 0.1, 0.4]),
        "woken_ms": st.sampled_from([0, 0, 3, 8]),
        "seed": st.integers(0, 10**6),
    }
)


def make_short_take(*, frames, mean_ms, seed, **options):
    seconds = frames / options["rate_hz"]
    delays = CLOCK_FIT["exponential_of"](mean_ms)
    return CLOCK_FIT["simulate_take"](seed, seconds=seconds, delays=delays, **options)


@settings(max_examples=60, deadline=None)
@given(short_takes)
def test_no_honest_take_is_too_short_to_be_fitted(options):
    take = make_short_take(**options)
    fit = fit_clock(take.device_ns, take.host_ns)

    assert fit.is_usable
    assert fit.to_host(take.device_ns).shape == take.device_ns.shape
    assert (fit.uncertainty_ns > 0).all()


def test_bound_holds_in_short_takes_on_a_loaded_machine():
    held = []
    for seed in range(80):
        rng = np.random.default_rng(seed)
        take = make_short_take(
            frames=int(rng.choice([1, 2, 5, 10, 27, 60, 200])),
            rate_hz=int(rng.choice([9, 15, 30, 60])),
            mean_ms=float(rng.choice([0.2, 1, 5, 20])),
            busy=float(rng.choice([0, 0.1, 0.4])),
            woken_ms=float(rng.choice([0, 8])),
            seed=seed,
        )
        fit = fit_clock(take.device_ns, take.host_ns)
        error = np.abs(fit.to_host(take.device_ns) - take.truth_ns)
        held.append(bool((error <= fit.uncertainty_ns).all()))

    assert np.mean(held) >= 0.95


def test_waiting_frames_of_a_loaded_machine_are_no_steps():
    jumps = [
        len(fit.pieces) - 1
        for situation in ("loaded, 6 s", "loaded, 6 s, woken late")
        for fit in fit_takes(situation, range(15))[1]
    ]

    assert np.count_nonzero(jumps) <= 1
    assert max(jumps) <= 2


def test_a_step_among_frames_that_are_exposed_late_is_one_step():
    _, fits, held = fit_takes("loaded, 60 s, woken late, step of 50 ms", range(10))
    jumps = [piece.jump_ns for fit in fits for piece in fit.pieces[1:]]

    assert all(held)
    assert [len(fit.pieces) for fit in fits] == [2] * 10
    np.testing.assert_allclose(np.abs(jumps), 50e6, atol=0.05e6)


def test_a_take_that_was_read_all_at_once_is_fitted():
    device, _, truth = make_take(0.9, 40, 6)
    host = np.full(len(device), truth[-1] + 3_000_000)
    fit = fit_clock(device, host + np.arange(len(host)) * 20_000)

    assert (np.abs(fit.to_host(device) - truth) <= fit.uncertainty_ns).all()


@pytest.mark.parametrize(
    ("factor", "seconds"),
    [(1e6, 0.3), (1000, 0.3), (0.001, 3), (1.1, 25), (0.9, 25), (1.01, 220), (0.99, 220)],
)
def test_stamps_at_another_rate_are_refused_once_no_wait_explains_them(factor, seconds):
    device, host, _ = make_take(seconds, 0, 5)

    with pytest.raises(NotAligned, match="not nanoseconds"):
        fit_clock(((device - device[0]) * factor).astype(np.int64), host)


@pytest.mark.parametrize(("factor", "seconds"), [(0.001, 1), (1.1, 5), (1.01, 60)])
def test_until_then_the_misfit_tells(factor, seconds):
    device, host, _ = make_take(seconds, 0, 5)
    fit = fit_clock(((device - device[0]) * factor).astype(np.int64), host)

    assert fit.bound_ms > 50
    assert abs(fit.drift_ppm) == pytest.approx(500)


def test_stamps_of_the_hosts_clock_are_the_times():
    host = BOOT_NS + np.arange(90, dtype=np.int64) * PERIOD_NS
    stamps = (host - 7_000_000) // 1000 * 1000
    fit = trust_host_stamps(stamps, host)

    np.testing.assert_array_equal(fit.to_host(stamps), stamps)
    assert fit.drift_ppm == fit.bound_ms == 0
    assert fit.residual_median_ms == pytest.approx(7, abs=0.001)
    assert (fit.uncertainty_ns == 1000).all()
    assert fit.is_usable


def test_a_stamp_later_than_its_arrival_is_wrong_by_so_much():
    stamps = BOOT_NS + np.arange(9, dtype=np.int64) * PERIOD_NS
    host = stamps + 1_000_000
    host[4] -= 3_000_000
    fit = trust_host_stamps(stamps, host)

    assert fit.uncertainty_ns.tolist() == [0] * 4 + [2_000_000] + [0] * 4
    assert fit.residual_max_ms == 1


@pytest.mark.parametrize(("device", "host"), [([], []), ([1, 2], [1])])
def test_empty_or_unequal_columns_are_refused(device, host):
    with pytest.raises(InvalidArray, match="as many device stamps"):
        fit_clock(np.array(device, np.int64), np.array(host, np.int64))
