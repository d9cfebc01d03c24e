"""Gray films of faces that move as is known: real photographs, cut out and laid over a wall."""

from __future__ import annotations

from functools import cache

import cv2
import numpy as np
from skimage import data
from skimage.color import rgb2gray

from mavfer.vision.geometry import apply_matrix

SIZE = (480, 360)
"""Width and height of a frame."""
FACE = np.array([222.0, 126.0])
"""Where the face is in the photograph; its eyes are 43 px apart."""


@cache
def portrait():
    """The photograph (512, 512), gray."""
    return np.rint(255 * rgb2gray(data.astronaut())).astype(np.uint8)


@cache
def other_portrait():
    """Somebody else in the same place: the photograph mirrored, paler, with a narrower face."""
    mirror = np.array([[-0.88, 0, 1.88 * FACE[0]], [0, 1, 0]])
    pale = np.clip(255 * (portrait() / 255.0) ** 0.7, 0, 255).astype(np.uint8)
    return cv2.warpAffine(pale, mirror, (512, 512), borderMode=cv2.BORDER_REPLICATE)


@cache
def opacity():
    """Where in the photograph the head is, 0 to 1, with a soft rim."""
    y, x = np.mgrid[:512, :512]
    inside = ((x - 224) / 78) ** 2 + ((y - 118) / 105) ** 2 < 1
    return cv2.GaussianBlur(inside.astype(np.float32), None, 4)


def place(x, y, *, scale=1.3, degrees=0.0):
    """Matrix (2, 3) that brings the photograph's face to a place."""
    angle = np.radians(degrees)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    return np.column_stack([turn, np.array([x, y]) - turn @ FACE])


def sway(frame):
    """Matrix of a head that sways, turns and comes nearer."""
    t = frame / 30
    return place(
        240 + 60 * np.sin(1.5 * t),
        170 + 20 * np.cos(2 * t),
        scale=1.3 * (1 + 0.06 * np.sin(1.7 * t)),
        degrees=np.degrees(0.1 * np.sin(2.2 * t)),
    )


def film(matrix, frame=0, *, gain=1.0, sigma=3.0, size=SIZE):
    """The whole photograph under a matrix, with a sensor's noise."""
    image = cv2.warpAffine(portrait(), matrix, size, borderMode=cv2.BORDER_REPLICATE)
    return noisy(image * gain, frame, sigma)


def group(places, frame=0, *, sigma=3.0, size=(640, 360)):
    """Heads before a wall, from the back to the front: (matrix, is_other) each."""
    image = np.full(size[::-1], 130.0, np.float32)
    for matrix, is_other in places:
        head = other_portrait() if is_other else portrait()
        share = cv2.warpAffine(opacity(), matrix, size)
        image += share * (cv2.warpAffine(head, matrix, size) - image)
    return noisy(image, frame, sigma)


def noisy(image, frame, sigma):
    """An image as a sensor delivers it."""
    noise = np.random.default_rng(frame).normal(0, sigma, image.shape)
    return np.clip(image + noise, 0, 255).astype(np.uint8)


def in_portrait(landmarks, matrix):
    """Landmarks of a frame in pixels of the photograph."""
    back = np.linalg.inv(np.vstack([matrix, [0, 0, 1]]))[:2]
    return apply_matrix(back, landmarks.astype(float))
