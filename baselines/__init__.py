"""Baselines: the systems of the literature, trained and compared on a study or a release.

May import `mavfer`; never `recording` or `annotator_web`, which it meets through files only.
Importing this package needs no extra; its modules that import torch say so at their head.
"""
