"""Skips are counted, listed, and refused in CI where they are not on the list."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "shared"))

ALLOWED_SKIPS = Path(__file__).parent / "allowed_skips.txt"


def pytest_addoption(parser):
    parser.addoption("--soak", action="store_true", help="run the long tests only")


def pytest_collection_modifyitems(config, items):
    is_soak = config.getoption("--soak")
    chosen = [item for item in items if ("soak" in item.keywords) == is_soak]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


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
