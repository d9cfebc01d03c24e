"""How others find the frame on the screen, and a judge that reads its number from the pixels.

What the field does: the frame is `floor(currentTime * fps)`, taken at each repaint (PAGAN), on the
element's own `timeupdate`, or every 100 ms (ANNEMO, CARMA2). Each is judged against the pixels that
the video paints at that very moment; so is ours, and also against the very picture that it stamped.
"""

from __future__ import annotations

__all__ = ["JUDGE", "PEERS"]

PEERS = ("raf", "timeupdate", "interval")
"""Ways of the field, as they are named in `window.counts`."""

JUDGE = """
(() => {
  const canvas = new OffscreenCanvas(BITS, 1);
  const drawing = canvas.getContext("2d", { willReadFrequently: true });
  const read = (source) => {
    drawing.drawImage(source, 0, 0, BITS, 1);
    const pixels = drawing.getImageData(0, 0, BITS, 1).data;
    let number = 0;
    for (let bit = 0; bit < BITS; bit += 1) if (pixels[4 * bit + 1] > 127) number |= 1 << bit;
    return number;
  };
  const counts = (window.counts = {});
  window.frames = [];
  const judge = (name, said, number) => {
    const count = (counts[name] ??= [0, 0]);
    count[0] += said === number;
    count[1] += 1;
  };

  const Picture = globalThis.VideoFrame;
  const numbers = new Map();
  const screens = new Map();
  let last = null;
  globalThis.VideoFrame = class VideoFrame extends Picture {
    constructor(...options) {
      super(...options);
      if (this.timestamp === last) return;
      last = this.timestamp;
      screens.set(last, read(options[0])); // first: the video goes on
      numbers.set(last, read(this));
    }
  };
  addEventListener("mavfer-sample", ({ detail: { media_time, frame } }) => {
    window.frames.push(frame);
    const stamp = Math.round(1e6 * media_time);
    judge("ours", frame, numbers.get(stamp));
    judge("ours_on_screen", frame, screens.get(stamp));
  });

  const fps = () => window.nominalFps;
  const said = (video) => Math.floor(video.currentTime * fps());
  document.addEventListener("play", ({ target: video }) => {
    if (video.id !== "video") return;
    const compare = (name) => {
      if (video.paused || video.readyState < 2) return;
      judge(name, said(video), read(video));
    };
    const repaint = () => {
      compare("raf");
      if (!video.ended) requestAnimationFrame(repaint);
    };
    requestAnimationFrame(repaint);
    video.addEventListener("timeupdate", () => compare("timeupdate"));
    const timer = setInterval(() => compare("interval"), 100);
    video.addEventListener("ended", () => clearInterval(timer), { once: true });
  }, true);
})();
"""
"""For the page before its own scripts, with BITS replaced and `window.nominalFps` set."""
