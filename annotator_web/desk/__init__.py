"""The study manager's desk: inviting, progress, collecting ratings, simulated raters.

May import every room but `routes`; works beside a running server, through the database or HTTP.
Never changes what raters gave.
"""
