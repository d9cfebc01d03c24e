"""GigE Vision by Aravis: discovery, features, frames and what is lost of them.

`recording.thermal_gige` makes a camera of it.
"""
