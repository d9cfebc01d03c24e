"""The web annotator: raters watch a face and move a pointer; nothing they gave is lost.

May import `mavfer`; never `recording` or `baselines`, which it meets through files only.
Importing this package or its `cli` needs no extra; `app`, `database` and what stands on them need
Flask and SQLAlchemy, which `cli` asks for before it imports them.
"""
