"""What a researcher looks at: one frame, one session, many sessions, as figures.

Takes arrays and plain values, gives matplotlib figures that show themselves in notebooks; imports
`vision` and the ground floor, and matplotlib only where a figure is drawn.
No module here opens a file or a window, or touches the state of pyplot.
"""

from __future__ import annotations

from mavfer.showing.frame import draw_frame
from mavfer.showing.session import draw_session
from mavfer.showing.sessions import draw_sessions
from mavfer.showing.views import FrameView, SessionView, Trace

__all__ = ["FrameView", "SessionView", "Trace", "draw_frame", "draw_session", "draw_sessions"]
