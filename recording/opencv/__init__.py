"""Frames through OpenCV, with what it hides: the driver's count, stamps, torn pictures.

`recording.webcam` and `recording.thermal_uvc` make cameras of it.
"""
