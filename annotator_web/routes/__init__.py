"""The answers to requests: pages for people, the HTTP API for programs, media for both.

May import every room below it; each route names who may use it.
Never decides what a rater has to do, which is `way`'s, or keeps anything, which is `store`'s.
"""
