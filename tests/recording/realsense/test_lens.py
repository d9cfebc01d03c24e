"""The factory's calibration as a document of ours."""

from __future__ import annotations

import numpy as np
import pytest
import realsense_file as made
from realsense_file import Software

from mavfer.errors import DeviceError
from mavfer.schema import require_valid
from mavfer.vision.geometry import CameraModel
from recording.realsense import (
    RealSenseCamera,
    RealSenseDevice,
    RecordedFile,
)
from recording.realsense.lens import distortion_of


def test_the_factory_s_calibration_is_a_document_of_ours(sdk, recording):
    device = RealSenseDevice(RecordedFile(recording, "fast"))
    before = device.calibration
    depth = RealSenseCamera(device, "depth")
    depth.open()
    document = device.calibration
    depth.close()
    require_valid(document, "calibration", recording)
    models = {n: CameraModel.from_document(c) for n, c in document["cameras"].items()}
    point_mm = np.array([[40.0, -25.0, 600.0]])
    original = made.make_device(sdk)
    motion = original.profiles["color"].get_extrinsics_to(original.profiles["depth"])
    lens = {
        name: p.as_video_stream_profile().get_intrinsics() for name, p in original.profiles.items()
    }
    in_depth = sdk.rs2_transform_point_to_point(motion, (point_mm[0] / 1000).tolist())
    in_color = (point_mm[0] / 1000).tolist()

    assert before is None
    assert document["method"] == "factory"
    assert document["name"] == "realsense-0123"
    assert np.allclose(
        models["depth"].project(point_mm),
        sdk.rs2_project_point_to_pixel(lens["depth"], in_depth),
        atol=1e-3,
    )
    assert np.allclose(
        models["color"].project(point_mm),
        sdk.rs2_project_point_to_pixel(lens["color"], in_color),
        atol=0.01,
    )
    assert np.allclose(models["depth"].camera_from_color[:3, 3], [-1, 15, 2], atol=1e-5)


@pytest.mark.parametrize(
    ("model", "tolerance_px"),
    [
        ("none", 1e-3),
        ("brown_conrady", 1e-3),
        ("inverse_brown_conrady", 0.03),
        ("modified_brown_conrady", 0.03),
    ],
)
def test_lenses_are_drawn_as_the_sdk_draws_them(sdk, model, tolerance_px):
    lens = _lens(sdk, model)
    camera = CameraModel(
        lens.width, lens.height,
        np.array([[lens.fx, 0, lens.ppx], [0, lens.fy, lens.ppy], [0, 0, 1]]),
        distortion_of(lens, "color"), np.eye(4),
    )  # fmt: skip
    rays = np.stack(np.meshgrid(np.linspace(-0.9, 0.9, 11), np.linspace(-0.5, 0.5, 7)), -1).reshape(
        -1, 2
    )
    points = np.column_stack([rays, np.ones(len(rays))])
    drawn = np.array([sdk.rs2_project_point_to_pixel(lens, point) for point in points.tolist()])

    assert np.abs(camera.project_own(points) - drawn).max() < tolerance_px


def test_a_fisheye_lens_is_refused(sdk):
    with pytest.raises(DeviceError, match=r"kannala_brandt4 cannot be expressed.*board"):
        distortion_of(_lens(sdk, "kannala_brandt4"), "color")


def test_a_lens_that_cannot_be_expressed_is_told_and_does_not_stop_a_recording(sdk):
    software = made.make_device(sdk, lens="kannala_brandt4", focal=120.0)
    device = RealSenseDevice(Software(software))
    color = RealSenseCamera(device, "color")
    color.open()
    settings = color.info.settings
    color.close()

    assert device.calibration is None
    assert "kannala_brandt4 cannot be expressed" in settings["calibration_problem"]
    assert np.allclose(settings["intrinsics"]["coefficients"], made.COLOR_LENS)


def _lens(sdk, model):
    lens = sdk.intrinsics()
    lens.width, lens.height, lens.fx, lens.fy, lens.ppx, lens.ppy = (
        1280,
        720,
        643.0,
        642.0,
        640.0,
        358.0,
    )
    lens.model, lens.coeffs = getattr(sdk.distortion, model), list(made.COLOR_LENS)
    return lens
