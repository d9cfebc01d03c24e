"""How far fitted clocks are from the truth, and whether the bound they state holds.

Takes of a camera whose clock is off by up to 100 ppm, with delays of known distributions, bursts
of late frames, steps and roll-overs of the counter; 50 takes a situation. Errors are of all frames
of all takes, after the shortest possible delay, which no stamp shows. The bound has held in a take
where it held for every frame; jumps are right where as many were found as were made. On a loaded
machine runs of frames wait for 5 to 100 ms, and a camera made of software is woken late, so that it
exposes late. The peers get the counter unrolled, and are told of no step.

    python benchmarks/clock_fit.py [--quick]
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import dataclass

import numpy as np
from scipy.signal import lfilter
from scipy.special import ndtr

from mavfer.study.study import software_versions
from mavfer.vision.clock_counter import unwrap_counter
from mavfer.vision.clocks import fit_clock

MS = 1_000_000
SECOND = 1_000_000_000
BOOT_NS = 987_654_321_012_345
SHORTEST_DELAY_NS = 4 * MS
MICROSECONDS_OF_32_BITS = 2**32 * 1000
USB_FRAME_NS = 125_000


@dataclass(frozen=True)
class Take:
    """Stamps (T,) of one camera: its own, the arrivals, and the truth plus the shortest delay."""

    device_ns: np.ndarray
    host_ns: np.ndarray
    truth_ns: np.ndarray


def exponential(rng, count):
    return rng.exponential(2 * MS, count)


def exponential_of(mean_ms):
    return lambda rng, count: rng.exponential(mean_ms * MS, count)


def gamma(shape):
    return lambda rng, count: rng.gamma(shape, 2 * MS / shape, count)


def uniform(rng, count):
    return rng.uniform(0, 4 * MS, count)


def bimodal(rng, count):
    return np.where(rng.random(count) < 0.3, 0, 5 * MS) + rng.exponential(MS, count)


def lognormal(rng, count):
    return rng.lognormal(np.log(1.5 * MS), 0.6, count)


def correlated(rng, count):
    """Exponential, each like the one before: 0.9 between neighbours, as normal numbers."""
    normal = lfilter([np.sqrt(1 - 0.81)], [1, -0.9], rng.normal(size=count))
    return -np.log1p(-ndtr(normal)) * 2 * MS


def on_usb(rng, count):
    """Exponential; `simulate_take` lets frames arrive with the next USB frame."""
    return exponential(rng, count)


def simulate_take(
    seed,
    *,
    seconds=600,
    rate_hz=30,
    delays=exponential,
    steps_ms=(),
    rolls_over=False,
    warming_ppm=0.0,
    resolution_ns=0,
    jitter=0.0,
    away_seconds=0,
    wrong_stamps=0,
    busy=0.0,
    woken_ms=0.0,
):
    """One take; steps are at random frames, bursts hit one frame in fifty and runs of up to 2 s.

    `busy` is the share of frames that wait in runs, `woken_ms` by how much exposures come late.
    """
    rng = np.random.default_rng(seed)
    drift = rng.uniform(-100e-6, 100e-6)
    count = round(seconds * rate_hz)
    exposed = (np.arange(count) + rng.normal(0, jitter, count)) * SECOND / rate_hz
    exposed = np.maximum.accumulate(exposed + woken_late(rng, count, woken_ms))
    is_kept = rng.random(count) > 0.01
    is_kept[0] = True
    true = np.sort(exposed)[is_kept] / (1 + drift)
    device = true * (1 + drift) + warming(true, seconds, warming_ppm)
    late = delays(rng, len(true)) + bursts(rng, len(true), seconds, rate_hz)
    late += waits(rng, len(true), busy)
    if delays is on_usb:
        late = np.ceil((true + late) / USB_FRAME_NS) * USB_FRAME_NS - true
    if away_seconds:
        true, device, late = unplugged(rng, (true, device, late), round(away_seconds * rate_hz))
    for where, step in zip(rng.uniform(0.05, 0.95, len(steps_ms)), steps_ms, strict=True):
        device[int(where * len(device)) :] += step * MS * rng.choice([-1, 1])
    wrong = rng.integers(1, len(device) - 1, wrong_stamps)
    device[wrong] += rng.choice([40 * MS, -15 * SECOND], wrong_stamps)
    if resolution_ns:
        device = np.floor(device / resolution_ns) * resolution_ns
    begin = MICROSECONDS_OF_32_BITS - int(rng.uniform(0.1, 0.95) * seconds * SECOND)
    stamps = np.rint(device).astype(np.int64) + (begin if rolls_over else 5_000 * SECOND)
    if rolls_over:
        stamps %= MICROSECONDS_OF_32_BITS
    truth = BOOT_NS + SHORTEST_DELAY_NS + np.rint(true).astype(np.int64)
    return Take(stamps, np.maximum.accumulate(truth + late.astype(np.int64)), truth)


def warming(true, seconds, ppm):
    """What a crystal that warms up within a third of the take adds to the clock."""
    scale = seconds * SECOND / 3
    return ppm * 1e-6 * (true + scale * np.expm1(-true / scale))


def bursts(rng, count, seconds, rate_hz):
    late = (rng.random(count) < 0.02) * rng.exponential(40 * MS, count)
    for first in rng.integers(0, count, max(1, int(seconds / 100))):
        frames = max(1, int(rng.uniform(0.2, 2) * min(rate_hz, count / 5)))
        late[first : first + frames] += rng.uniform(20 * MS, 90 * MS)
    return late


def woken_late(rng, count, mean_ms):
    """By how much a camera made of software exposes late: mostly a little, one in five by more."""
    if mean_ms == 0:
        return np.zeros(count)
    return np.where(rng.random(count) < 0.2, mean_ms, 0.1) * rng.exponential(MS, count)


def waits(rng, count, share):
    """What a busy machine adds: runs of 2 to 9 frames, a share of all, come 5 to 100 ms late."""
    late = np.zeros(count)
    if share == 0:
        return late
    for first in np.flatnonzero(rng.random(count) < share / 5.5).tolist():
        late[first : first + rng.integers(2, 10)] += rng.uniform(5, 100) * MS
    return late


def unplugged(rng, columns, frames):
    """Without the frames of a while; afterwards the camera exposes and counts anew."""
    true, device, late = columns
    begin = int(rng.uniform(0.2, 0.6) * len(true))
    true[begin + frames :] += rng.uniform(0, SECOND / 30)
    device[begin + frames :] -= device[begin + frames] - rng.uniform(SECOND, 2 * SECOND)
    is_there = (np.arange(len(true)) < begin) | (np.arange(len(true)) >= begin + frames)
    return true[is_there], device[is_there], late[is_there]


TARGET = {"steps_ms": [50], "rolls_over": True}
SITUATIONS = {
    "target: 10 min, step of 50 ms, roll-over": TARGET,
    "straight": {},
    "four steps": {"steps_ms": [50, 5, 200, 1000]},
    "unplugged for 8 s": {"away_seconds": 8},
    "three wrong stamps": {"wrong_stamps": 3},
    "warms up, +4 ppm": {"warming_ppm": 4.0, "steps_ms": [50]},
    "warms up, -6 ppm": {"warming_ppm": -6.0},
    "stamps jitter by a tenth of a frame": {"jitter": 0.1, "steps_ms": [50]},
    "stamps of 1 ms": {"resolution_ns": MS, "steps_ms": [50]},
    "arrivals at USB frames": {"delays": on_usb, "steps_ms": [50]},
    "delays uniform": {"delays": uniform, **TARGET},
    "delays bimodal": {"delays": bimodal, **TARGET},
    "delays correlated": {"delays": correlated, **TARGET},
    "delays gamma 2": {"delays": gamma(2), **TARGET},
    "delays gamma 3": {"delays": gamma(3), **TARGET},
    "delays gamma 4": {"delays": gamma(4), **TARGET},
    "delays lognormal": {"delays": lognormal, **TARGET},
    "9 Hz": {"rate_hz": 9, **TARGET},
    "9 Hz, gamma 2": {"rate_hz": 9, "delays": gamma(2), **TARGET},
    "60 s": {"seconds": 60},
    "60 s, 9 Hz, gamma 3": {"seconds": 60, "rate_hz": 9, "delays": gamma(3)},
    "10 s": {"seconds": 10},
    "10 s, step of 50 ms": {"seconds": 10, "steps_ms": [50]},
    "10 s, gamma 3": {"seconds": 10, "delays": gamma(3)},
    "10 s, correlated": {"seconds": 10, "delays": correlated},
    "10 s, 9 Hz": {"seconds": 10, "rate_hz": 9},
    "2.2 s, 15 Hz, delays of 20 ms": {"seconds": 2.2, "rate_hz": 15, "delays": exponential_of(20)},
    "27 frames": {"seconds": 0.9},
    "5 frames": {"seconds": 1 / 6},
    "loaded, 6 s": {"seconds": 6, "busy": 0.3},
    "loaded, 6 s, woken late": {"seconds": 6, "busy": 0.3, "woken_ms": 8},
    "loaded, 60 s, woken late, step of 50 ms": {
        **{"seconds": 60, "busy": 0.3, "woken_ms": 8},
        "steps_ms": [50],
    },
}


def arrival_stamps(device_ns, host_ns):
    return host_ns


def offset_of_first_frame(device_ns, host_ns):
    return host_ns[0] + device_ns - device_ns[0]


def least_squares(device_ns, host_ns):
    elapsed = (device_ns - device_ns[0]).astype(float)
    line = np.polyfit(elapsed, (host_ns - host_ns[0]).astype(float), 1)
    return host_ns[0] + np.rint(np.polyval(line, elapsed)).astype(np.int64)


PEERS = {
    "arrival stamps": arrival_stamps,
    "offset of the first frame": offset_of_first_frame,
    "least squares": least_squares,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="5 takes a situation instead of 50")
    trials = 5 if parser.parse_args().quick else 50
    fit_once = simulate_take(0, seconds=2)
    fit_clock(fit_once.device_ns, fit_once.host_ns)  # imported before it is timed
    values = {name: fitted(options, trials) for name, options in SITUATIONS.items()}
    ratios = {}
    for name in list(SITUATIONS)[:2]:
        ours = values[name]
        for peer, method in PEERS.items():
            theirs = errors_of(method, SITUATIONS[name], trials)
            values[f"{peer}, {name}"] = theirs
            ratios[f"p99 error, {peer}, {name}"] = round(theirs["p99_ms"] / ours["p99_ms"], 1)
    print(
        json.dumps(
            {
                "benchmark": "clock_fit",
                "ratios": ratios,
                "values": values,
                "versions": software_versions(),
            }
        )
    )


def fitted(options, trials):
    """Errors of ours over all takes, how often the bound held, and the time of a fit."""
    errors, bounds, held, right, seconds = [], [], 0, 0, 0.0
    for seed in range(trials):
        take = simulate_take(seed, **options)
        begin = time.process_time()
        fit = fit_clock(take.device_ns, take.host_ns)
        host = fit.to_host(take.device_ns)
        seconds += time.process_time() - begin
        error = np.abs(host - take.truth_ns)
        held += bool((error <= fit.uncertainty_ns).all())
        right += len(fit.pieces) - 1 == jumps_of(options)
        errors.append(error)
        bounds.append(np.median(fit.uncertainty_ns))
    return {
        **told(errors),
        "bound_median_ms": round(float(np.median(bounds)) / MS, 4),
        "bound_held": held / trials,
        "jumps_right": right / trials,
        "cpu_ms": round(seconds / trials * 1000, 1),
    }


def jumps_of(options):
    """How often the stamps of such a take jump; a wrong stamp jumps there and back."""
    once = len(options.get("steps_ms", ())) + options.get("rolls_over", 0)
    return once + ("away_seconds" in options) + 2 * options.get("wrong_stamps", 0)


def errors_of(method, options, trials):
    errors = []
    for seed in range(trials):
        take = simulate_take(seed, **options)
        device_ns = take.device_ns + unwrap_counter(take.device_ns, take.host_ns)
        errors.append(np.abs(method(device_ns, take.host_ns) - take.truth_ns))
    return told(errors)


def told(errors):
    together = np.concatenate(errors) / MS
    return {
        "median_ms": round(float(np.median(together)), 4),
        "p99_ms": round(float(np.percentile(together, 99)), 4),
        "worst_ms": round(float(together.max()), 4),
    }


if __name__ == "__main__":
    main()
