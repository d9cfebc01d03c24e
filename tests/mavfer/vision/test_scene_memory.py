import numpy as np
import pytest

from mavfer.vision.landmarks import Box
from mavfer.vision.scene_memory import SceneMemory

pytest.importorskip("cv2", reason="needs the extra preprocess")

FACE = Box(640, 360, 200)


def room(seed=0, sigma=4.0):
    """A gray frame (720, 1280): a room under a sensor's noise."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[:720, :1280]
    clean = 100 + 40 * np.sin(columns / 90) + 30 * np.cos(rows / 70)
    return (clean + rng.normal(0, sigma, clean.shape)).clip(0, 255).astype(np.uint8)


@pytest.fixture
def memory():
    memory = SceneMemory()
    memory.remember(room())
    return memory


def test_before_anything_is_remembered_all_is_new():
    assert SceneMemory().has_changed(room(), [])


def test_noise_is_no_change(memory):
    assert not any(memory.has_changed(room(seed, sigma=8.0), []) for seed in range(1, 6))


@pytest.mark.parametrize("place", [(0, 0), (300, 200), (560, 1120)])
def test_a_smallest_face_that_differs_a_little_from_the_room_is_a_change(memory, place):
    gray = room(1)
    top, left = place
    gray[top : top + 160, left : left + 160] += 6

    assert memory.has_changed(gray, [FACE])


def test_what_those_who_are_followed_do_does_not_count(memory):
    gray = room(1)
    gray[260:460, 540:740] = 250

    assert memory.has_changed(gray, [])
    assert not memory.has_changed(gray, [FACE])


def test_a_frame_of_another_shape_is_a_change(memory):
    assert memory.has_changed(room(1)[:, :800], [])


def test_what_is_remembered_can_be_put_down(memory):
    other = SceneMemory()
    other.restore(memory.state())

    assert not other.has_changed(room(1), [])
    assert other.state().shape == (36, 64)
