"""The web annotator: raters watch a face and move a pointer; nothing they gave is lost.

May import `mavfer`; never `recording` or `baselines`, which it meets through files only.
Importing this package needs no extra; the server comes with the part on ratings.
"""
