"""Capture: three cameras in step, or a simulated rig, written so that nothing is lost.

May import `mavfer`; never `annotator_web` or `baselines`, which it meets through files only.
Importing this package needs no camera's driver; each is asked for when its camera is opened.
"""
