"""One TOML file per published row, plus `demo` for narrow nets; see docs/train.md.

Holds data only. A file is read by `baselines.config`, nobody else.
"""
