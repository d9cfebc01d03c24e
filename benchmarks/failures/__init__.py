"""What goes wrong on purpose, for `validity_calibration.py`."""
