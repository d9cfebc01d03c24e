"""Cameras behind real SDKs, for rigs that name them."""

from __future__ import annotations

import pytest
import realsense_file as made
from gige_server import GigeServer


@pytest.fixture(scope="module")
def gige_server(gige_address):
    """A GigE Vision camera on this machine; modules take turns."""
    with GigeServer() as running:
        yield running


@pytest.fixture(scope="session")
def sdk():
    reason = "pyrealsense2 or libusb-1.0-0 is not installed"
    return pytest.importorskip("pyrealsense2", reason=reason, exc_type=ImportError)


@pytest.fixture(scope="session")
def sdk_device(sdk):
    """The SDK, and a device that is made of software."""
    return sdk, made.make_device(sdk).device


@pytest.fixture(scope="session")
def recording(sdk, tmp_path_factory):
    """Color and depth of 40 frames each; not to be changed."""
    return made.record(sdk, tmp_path_factory.mktemp("rig") / "two.db3")
