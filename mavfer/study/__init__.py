"""The folder on disk: one file of code per format, and the only ones that open such files.

May import `vision` for camera models, the schemas and the ground floor.
Nothing here computes: what is read is checked once at the door and handed out as arrays.
"""
