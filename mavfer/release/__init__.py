"""A release: an immutable copy of a study that may be given away.

`mavfer release STUDY DST` copies what the subjects agreed to share, with the labels inside the
shards, and lists every file with its SHA-256 in release.json. `mavfer.load()` reads a release as
it reads a study. See docs/release.md.
"""
