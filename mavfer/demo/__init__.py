"""The whole journey on simulated subjects, from rendered cameras to scores and a report.

Runs the public commands and prints each; may import `report`, `study` and the ground below them.
Imports no tool: recorder, annotator and baselines are reached through the command line alone.
"""

from __future__ import annotations

from mavfer.demo.journey import run_demo

__all__ = ["run_demo"]
