"""Raters that are programs: they rate from truth.h5, late, uneven and noisy as people do.

They see no picture. What each of them gives is the latent value some time ago, stretched, shifted
and disturbed; the last of three or more is a bad one. All of it goes through the HTTP API, five
seconds of samples a chunk, on the frames of the real media and in the order of the rater's plan; a
session that is shown again is disturbed otherwise. Everything follows from the seed.
"""

from __future__ import annotations

import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
from scipy.ndimage import gaussian_filter1d

from annotator_web.desk.client import Client
from annotator_web.desk.raters import invite
from annotator_web.project import CALIBRATION
from annotator_web.way.calibration import target_at
from annotator_web.way.plan import repeats_due
from mavfer.errors import InvalidFile, NotFound
from mavfer.study.session import Session
from mavfer.study.truth import latent_at_frames

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from annotator_web.project import Dimension, Project
    from annotator_web.store.database import Database

__all__ = [
    "Fault",
    "SimulatedRater",
    "Trace",
    "make_rater",
    "rate",
    "simulate",
    "simulated_sessions",
    "tasks_of",
    "true_trace",
]

Fault = Literal["none", "flipped", "random"]

_AT_ONCE: Final = 4
_RATERS_WITH_A_BAD_ONE: Final = 3
_FLIPPED_SHARE: Final = 0.5
"""Of bad raters, those who mistake the ends of the scale; the others rate at random."""

_CHUNK_SECONDS: Final = 5.0
_TREMBLE_SECONDS: Final = 0.15
_WANDER_SECONDS: Final = 4.0
_GRID_HZ: Final = 100
_CLIENT: Final = {"device": "program", "name": "mavfer annotate simulate", "rates_from": "truth"}


@dataclass(frozen=True)
class SimulatedRater:
    """How one simulated rater differs from the truth."""

    code: str
    seed: tuple[int, int]
    lag_seconds: float
    """How much later than the event the rater moves."""
    gain: tuple[float, float]
    """Factor on arousal and valence."""
    bias: tuple[float, float]
    """What is added to arousal and valence, in half scales."""
    noise: float
    """Standard deviation of the disturbance, in half scales."""
    fault: Fault


@dataclass(frozen=True)
class Trace:
    """What is true over a clip, at the moments of the clip, for the dimensions of a take."""

    times_seconds: NDArray[np.float64]
    """(T,), ascending."""
    values: NDArray[np.float64]
    """(dimensions, T), in units of the scale."""


def make_rater(number: int, count: int, seed: int) -> SimulatedRater:
    """Rater `number` of `count`, from 0; the last of three or more is a bad one."""
    random = np.random.default_rng([seed, number])
    is_bad = count >= _RATERS_WITH_A_BAD_ONE and number == count - 1
    fault: Fault = "none"
    if is_bad:
        fault = "flipped" if random.random() < _FLIPPED_SHARE else "random"
    return SimulatedRater(
        code=f"SIM{number + 1:02d}",
        seed=(seed, number),
        lag_seconds=float(random.uniform(0.3, 2.0)),
        gain=(float(random.uniform(0.7, 1.2)), float(random.uniform(0.7, 1.2))),
        bias=(float(random.uniform(-0.15, 0.15)), float(random.uniform(-0.15, 0.15))),
        noise=float(random.uniform(0.03, 0.1)),
        fault=fault,
    )


def simulate(
    project: Project,
    database: Database,
    url: str,
    *,
    raters: int,
    seed: int,
    advance: Callable[[int], None],
) -> dict[str, Any]:
    """Rates every simulated session with media by `raters` simulated raters, over HTTP.

    What a rater has finished already is skipped, what was begun is continued.

    Args:
        project: The rating project.
        database: The server's database, for the invitations.
        url: Where the server is.
        raters: How many.
        seed: What makes them differ.
        advance: Told of every take that is finished.

    Returns:
        raters (code, lag, fault), takes and samples sent.

    Raises:
        NotFound: No session has a truth to rate from.
        DataError: The server refused or stayed away.
    """
    sessions = simulated_sessions(project)
    people = [make_rater(number, raters, seed) for number in range(raters)]
    tokens = [invite(database, project, rater.code, kind="simulated") for rater in people]

    def work(rater: SimulatedRater, token: str) -> tuple[int, int]:
        with closing(Client(url, token)) as client:
            return _rate_all(client, rater, project, sessions, advance)

    with ThreadPoolExecutor(min(raters, _AT_ONCE)) as pool:
        done = list(pool.map(work, people, tokens))
    return {
        "raters": [
            {"rater": r.code, "lag_seconds": round(r.lag_seconds, 3), "fault": r.fault}
            for r in people
        ],
        "sessions": len(sessions),
        "takes": sum(takes for takes, _ in done),
        "samples": sum(samples for _, samples in done),
    }


def simulated_sessions(project: Project) -> list[str]:
    """Sessions that can be rated from truth.

    Raises:
        NotFound: There is none.
    """
    study = project.study
    sessions = project.sessions()
    found = [s for s in sessions if (study.session_folder(s) / "truth.h5").is_file()]
    if not found:
        message = (
            f"{study.root}: no session has both media and truth.h5, and simulated raters rate from "
            f"truth alone. Run: mavfer record with --rig simulated, then mavfer preprocess"
        )
        raise NotFound(message)
    return found


def tasks_of(project: Project) -> int:
    """Takes that each simulated rater gives, the reaction-time clip and the repeats among them."""
    sessions = len(simulated_sessions(project))
    showings = sessions + min(repeats_due(project, sessions), sessions)
    return showings * len(project.groups()) + project.has_calibration


def true_trace(
    project: Project,
    session: str,
    dimensions: Sequence[Dimension],
    pts_seconds: NDArray[np.float64],
) -> Trace:
    """What was true when each frame of the media was exposed.

    Raises:
        InvalidFile: truth.h5 does not know the frames of the session, or a dimension.
    """
    take = Session.open(project.study.session_folder(session))
    values = []
    for dimension in dimensions:
        latent = latent_at_frames(take, dimension.name)
        if len(latent) != len(pts_seconds):
            message = f"{take.truth_path}: its frames are not those of the media. Record it again"
            raise InvalidFile(message)
        values.append(dimension.low + (latent + 1) / 2 * (dimension.high - dimension.low))
    return Trace(pts_seconds, np.array(values))


def rate(
    rater: SimulatedRater,
    name: str,
    truth: Trace,
    dimensions: Sequence[Dimension],
    *,
    is_bounded: bool = True,
) -> NDArray[np.float64]:
    """What the rater gives at the times of `truth`, (dimensions, T), within the scale.

    The same rater gives the same for a clip of the same `name`. The reaction-time clip is followed
    by bad raters as well: pointing is not what they are bad at. Without bounds each rater counts
    from 0 in units of their own.
    """
    random = np.random.default_rng([*rater.seed, zlib.crc32(name.encode())])
    fault: Fault = "none" if name == CALIBRATION else rater.fault
    rows = []
    for axis, dimension in enumerate(dimensions):
        half, middle = (dimension.high - dimension.low) / 2, (dimension.high + dimension.low) / 2
        late = truth.times_seconds - rater.lag_seconds
        seen = (np.interp(late, truth.times_seconds, truth.values[axis]) - middle) / half
        given = _given(rater, random, axis, truth.times_seconds, seen, fault=fault)
        # A pointer has pixels: four digits are finer than any.
        bounded = np.clip(middle + half * given, dimension.low, dimension.high)
        rows.append(np.round(bounded if is_bounded else _own_unit(rater) * given, 4))
    return np.array(rows)


def _own_unit(rater: SimulatedRater) -> float:
    """How far a rater goes for half a scale where the scale has no ends."""
    random = np.random.default_rng([*rater.seed, zlib.crc32(b"unit")])
    return float(random.uniform(1, 20))


def _given(
    rater: SimulatedRater,
    random: np.random.Generator,
    axis: int,
    times: NDArray[np.float64],
    seen: NDArray[np.float64],
    *,
    fault: Fault,
) -> NDArray[np.float64]:
    """What the rater makes of what was seen, both in half scales."""
    wander = _disturbance(random, times, _WANDER_SECONDS)
    tremble = _disturbance(random, times, _TREMBLE_SECONDS)
    understood = {"none": seen, "flipped": -seen, "random": wander / 2}[fault]
    which = axis % len(rater.gain)
    noise = rater.noise * (0.8 * wander + 0.6 * tremble)
    return rater.gain[which] * understood + rater.bias[which] + noise


def _disturbance(
    random: np.random.Generator, times: NDArray[np.float64], seconds: float
) -> NDArray[np.float64]:
    """Smooth noise of unit deviation that changes within about `seconds`, at the given times."""
    count = int(np.ceil(times[-1] * _GRID_HZ)) + 2
    width = seconds * _GRID_HZ
    smooth = gaussian_filter1d(random.standard_normal(count), width, mode="wrap")
    # The deviation that white noise keeps under this filter, from its kernel's squared sum.
    kept = np.sqrt(1 / (2 * np.sqrt(np.pi) * width))
    noise: NDArray[np.float64] = np.interp(times, np.arange(count) / _GRID_HZ, smooth / kept)
    return noise


def _rate_all(
    client: Client,
    rater: SimulatedRater,
    project: Project,
    sessions: Sequence[str],
    advance: Callable[[int], None],
) -> tuple[int, int]:
    """Rates the reaction-time clip and `sessions`; the takes and samples that were sent."""
    takes = samples = 0
    shown: Counter[tuple[str, ...]] = Counter()
    for task in client.sessions():
        if task["purpose"] != CALIBRATION and task["session"] not in sessions:
            continue
        for names in task["dimensions"]:
            shown[task["session"], *names] += 1
            name = _name_of(project, task["session"], names, shown[task["session"], *names])
            sent = _rate_task(client, rater, project, task, names, name=name)
            takes, samples = takes + (sent > 0), samples + sent
            advance(1)
    return takes, samples


def _name_of(project: Project, session: str, names: Sequence[str], showing: int) -> str:
    """What the disturbance of a take follows from: another one each time a session is rated."""
    dimensions = "" if len(project.groups()) == 1 else "/" + "+".join(names)
    again = "" if showing == 1 else f" shown {showing} times"
    return session if session == CALIBRATION else f"{session}{dimensions}{again}"


def _rate_task(
    client: Client,
    rater: SimulatedRater,
    project: Project,
    task: dict[str, Any],
    names: list[str],
    *,
    name: str,
) -> int:
    """Rates one clip unless that is done; the number of samples that were sent."""
    mine = [take for take in task["takes"] if take["dimensions"] == names]
    if any(take["state"] == "finished" for take in mine):
        return 0
    samples = _samples(client, rater, project, task, names, name=name)
    pieces = _chunks(samples)
    take = mine[-1]["take"] if mine else client.begin(task["session"], names, _CLIENT)
    for seq, piece in enumerate(pieces):
        client.send(take, seq, piece)
    count = len(samples["media_time"])
    client.finish(take, chunks=len(pieces), samples=count)
    return count


def _samples(
    client: Client,
    rater: SimulatedRater,
    project: Project,
    task: dict[str, Any],
    names: list[str],
    *,
    name: str,
) -> dict[str, list[Any]]:
    """One sample a frame, as a browser gives them."""
    known = {dimension.name: dimension for dimension in project.dimensions}
    dimensions = [known[name] for name in names]
    is_clip = task["session"] == CALIBRATION
    if is_clip:
        clip = client.get(task["media"])
        times = np.arange(clip["frames"]) / clip["rate_hz"]
        truth = Trace(times, target_at(times, dimensions))
    else:
        times = np.array(client.get(f"{task['media']}/frames")["pts_seconds"])
        truth = true_trace(project, task["session"], dimensions, times)
    is_bounded = is_clip or project.scale != "unbounded"
    values = rate(rater, name, truth, dimensions, is_bounded=is_bounded)
    return {
        "media_time": times.tolist(),
        "frame": list(range(len(times))),
        "clock_ms": np.round(1000 * times, 3).tolist(),
        **{name: row.tolist() for name, row in zip(names, values, strict=True)},
        "flags": [0] * len(times),
    }


def _chunks(samples: dict[str, list[Any]]) -> list[dict[str, list[Any]]]:
    """Five seconds of samples each."""
    seconds = np.array(samples["media_time"]) // _CHUNK_SECONDS
    edges = [0, *(np.flatnonzero(np.diff(seconds)) + 1).tolist(), len(seconds)]
    return [
        {name: cells[start:stop] for name, cells in samples.items()}
        for start, stop in pairwise(edges)
    ]
