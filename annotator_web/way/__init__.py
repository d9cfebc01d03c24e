"""What a rater is led through: consent, device check, practice, warm-up, sessions, breaks, the end.

May import `access` and `store`; decides what comes next and whether a mark was reached.
Never answers a request: pages and programs get from `routes` what is decided here.
"""
