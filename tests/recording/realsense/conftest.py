"""Recordings by the SDK's own recorder, made once."""

from __future__ import annotations

import pytest
import realsense_file as made


@pytest.fixture(scope="session")
def sdk():
    reason = "pyrealsense2 or libusb-1.0-0 is not installed"
    return pytest.importorskip("pyrealsense2", reason=reason, exc_type=ImportError)


@pytest.fixture(scope="session")
def recording(sdk, tmp_path_factory):
    """Color and depth of 40 frames each; not to be changed."""
    return made.record(sdk, tmp_path_factory.mktemp("realsense") / "two.db3")


@pytest.fixture(scope="session")
def recording_with_infrared(sdk, tmp_path_factory):
    """Color, and depth and infrared of one sensor; not to be changed."""
    path = tmp_path_factory.mktemp("realsense") / "three.db3"
    return made.record(sdk, path, sources=("color", "depth", "infrared"))
