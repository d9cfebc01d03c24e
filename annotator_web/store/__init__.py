"""What raters gave, on the disk: tables, takes and their chunks, copies of it all.

May import the rating project and `mavfer`, and holds all SQL that changes a rater's samples.
Never knows of requests, pages or who is asking.
"""
