"""Other people's files in and out, one small file per foreign format.

May import `study` and `preprocess`; never writes into a study but through them.
A foreign file is never changed, and nothing of it is guessed without a notice.
"""
