"""What a selftest says of the machine."""

from __future__ import annotations

import os
import time

import pytest

from recording.rig.rig_checks import check_machine
from recording.rig.watching import TakeNotes, _machine_cpu_seconds


def _processor(own_cores, others_cores, *, cores=4):
    notes = TakeNotes(
        streams={},
        seconds=10.0,
        cpu_seconds=10 * own_cores,
        queue_frames=60,
        calibration=None,
        cores=cores,
        others_cpu_seconds=10 * others_cores,
    )
    return next(finding for finding in check_machine(notes) if finding.check == "processor")


@pytest.mark.parametrize(
    ("own_cores", "others_cores", "result"),
    [
        (0.5, 0.0, "pass"),
        (0.5, 3.0, "pass"),
        (0.5, 3.2, "look"),
        (3.0, 0.0, "look"),
        (3.0, 1.0, "look"),
        (3.7, 0.0, "fail"),
        (3.7, 0.3, "fail"),
    ],
)
def test_other_programs_are_looked_at_and_never_fail_a_rig(own_cores, others_cores, result):
    finding = _processor(own_cores, others_cores)

    assert finding.result == result
    assert finding.found == (
        f"{own_cores:.2f} cores busy with cameras and files, {others_cores:.2f} with other "
        f"programs, of 4"
    )
    assert bool(finding.advice) == (result != "pass")


def test_the_processor_time_of_the_machine_grows_with_ours():
    before, began = _machine_cpu_seconds(), time.process_time()
    while time.process_time() - began < 0.3:
        sum(range(1000))
    grown = _machine_cpu_seconds() - before

    assert grown >= 0.2 or len(os.sched_getaffinity(0)) != os.cpu_count()
