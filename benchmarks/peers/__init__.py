"""What the benchmarks of the loader share: content, measuring, and each peer by itself.

A peer is written as somebody who knows that library well would write it for this task. Peers take
the very pixels that mavfer.load gives, and hand out the very clips that ours hands out.
"""
