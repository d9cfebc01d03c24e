"""Skips are counted, listed, and refused in CI where they are not on the list.

`make pytest` runs the tests in two processes, a file in one of them: so what a file or several
files make once for many tests is made once. Without --numprocesses there is one process.
"""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

sys.path.insert(0, str(Path(__file__).parent / "shared"))

HERE = Path(__file__).parent
ALLOWED_SKIPS = HERE / "allowed_skips.txt"
TOGETHER = {
    "gige_address": (
        "tests/recording/rig/test_probing.py",
        "tests/recording/rig/test_selftest.py",
        "tests/recording/test_served_rig.py",
        "tests/recording/test_thermal_gige.py",
    ),
    "journey": (
        "tests/baselines/test_rig_study.py",
        "tests/test_examples.py",
        "tests/test_path_archive.py",
        "tests/test_path_camera_to_shard.py",
    ),
    "made_study": (
        "tests/mavfer/preprocess/test_inputs.py",
        "tests/mavfer/preprocess/test_run.py",
        "tests/mavfer/release/test_gathering.py",
        "tests/mavfer/test_check.py",
        "tests/mavfer/test_cli.py",
    ),
}
"""Fixtures of the session that are costly to make, or that are there but once on a machine, and the
files that use one: they share a process."""

FIRST = (
    "journey",
    "tests/annotator_web/room/test_path_browser.py",
    "tests/annotator_web/room/test_room_transport.py",
    "tests/annotator_web/room/test_no_loss.py",
    "tests/annotator_web/room/test_path_axe.py",
    "tests/mavfer/test_demo.py",
    "gige_address",
)
"""What takes longest is begun first, in this order, so that no process waits for it in the end.

In a fresh clone the journey has numba compile everything, which is kept on the disk. The browsers
need none of it; the demo, whose processes would compile all of it as well, finds it done.
"""

# A shared machine is slow at times; laws of mathematics are tested, not its speed.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")


def pytest_addoption(parser):
    parser.addoption("--soak", action="store_true", help="run the long tests only")


def pytest_collection_modifyitems(config, items):
    is_soak = config.getoption("--soak")
    unwanted = [item for item in items if ("soak" in item.keywords) != is_soak]
    config.hook.pytest_deselected(items=unwanted)
    items[:] = [item for item in items if ("soak" in item.keywords) == is_soak]
    if hasattr(config, "workerinput"):
        ranks = {group: rank for rank, group in enumerate(FIRST)}
        items.sort(key=lambda item: ranks.get(group_of(item.nodeid), len(FIRST)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Hands out whole files, and files that share a costly fixture as one, in our order.

    The marker xdist_group would do, but xdist 3.8 passes over it in silence under pytest 9.2.
    """
    from xdist.scheduler import LoadFileScheduling

    class Together(LoadFileScheduling):
        def _split_scope(self, nodeid):
            return group_of(nodeid)

    config.option.loadscopereorder = False
    return Together(config, log)


def group_of(nodeid):
    """The fixture of `TOGETHER` that the test's file uses, or the file itself."""
    path = nodeid.partition("::")[0]
    return next((name for name, files in TOGETHER.items() if path in files), path)


@pytest.fixture(scope="session")
def real_media():
    """The folder with real faces, or a skip that says how to get one."""
    folder = os.environ.get("MAVFER_REAL_MEDIA")
    if not folder:
        pytest.skip("MAVFER_REAL_MEDIA is not set")
    return Path(folder)


@pytest.fixture(scope="session")
def journey(tmp_path_factory):
    """A study from the simulated camera to the shard; not to be changed."""
    from journey import record_and_preprocess

    return record_and_preprocess(tmp_path_factory.mktemp("journey") / "study")


def allowed_reasons():
    lines = ALLOWED_SKIPS.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def reason_of(report):
    return report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)


def pytest_terminal_summary(terminalreporter):
    skipped = terminalreporter.stats.get("skipped", [])
    surprising = unexpected(skipped)
    terminalreporter.write_line(f"skips: {len(skipped)}, not on the list: {len(surprising)}")
    for report in surprising:
        terminalreporter.write_line(f"  {report.nodeid}: {reason_of(report)}")


def unexpected(skipped):
    reasons = allowed_reasons()
    return [r for r in skipped if not any(known in reason_of(r) for known in reasons)]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session, exitstatus):
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    is_surprised = reporter and unexpected(reporter.stats.get("skipped", []))
    if os.environ.get("CI") and is_surprised and exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
