"""The cameras' side: clocks, geometry, faces, registration, alignment, quality.

Arrays in, arrays out; imports the ground floor (`errors`, `streams`) and nothing else of mavfer.
No module here opens a file, reads a clock or knows what a study is.
"""
