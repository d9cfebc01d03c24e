"""Who may do what: invitations, cookies, forged requests, limits, and headers that protect pages.

May import `store`, and refuses with `annotator_web.refusals`.
Never looks at samples.
"""
