"""The web annotator: raters watch a face and move a pointer; nothing they gave is lost.

Its rooms, each importing from those below it alone: `routes` answers requests and `desk` serves the
study's manager; `way` knows what a rater is led through, `access` who may do what, `store` keeps
what was given. May import `mavfer`; never `recording` or `baselines`, which it meets through files.
Importing this package or its `cli` needs no extra; everything else needs Flask and SQLAlchemy,
which `cli` asks for before it imports them.
"""
