"""Compiled loops for pixels and counts, three times as fast as numpy and free of Python's lock.

They may import numba and each other, and are imported by `pixels`, `counts_packer` and
`picture_converter` alone, where numba is installed. They never open a file, and never decide how
pixels are stored: their importers say that. What numba keeps on disk does not notice a change in
another file: after editing one, delete `__pycache__` here.
"""
