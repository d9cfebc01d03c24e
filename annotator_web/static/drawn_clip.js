// The warm-up's clip: a face that jumps from step to step, drawn by the page, frame by frame.

import { drawFace } from "./face.js";
import { passedBy } from "./frames.js";

/** Has the interface of VideoClip. */
export class DrawnClip {
  constructor(svg, description, axes) {
    this.show = drawFace(svg);
    this.description = description;
    this.axes = axes;
    this.seconds = description.seconds;
    this.last = (description.frames - 1) / description.rate_hz;
    for (const name of ["onframe", "onend", "onstall", "onerror", "oninterrupt"]) this[name] = () => {};
    this.timeSource = "drawn";
    this.shown = { mediaTime: 0, frame: 0 };
    this.dropped = 0;
    this.rated = null;
    this.isWatching = false;
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden || !this.isWatching) return;
      this.pause();
      this.oninterrupt("hidden");
    });
  }

  static isSupported() {
    return true;
  }

  async load(seconds, isRated = seconds > 0) {
    await this.seek(seconds);
    if (isRated) this.rated = this.shown.frame;
  }

  async play() {
    const first = this.shown.frame;
    const begin = performance.now() - this.shown.mediaTime * 1000;
    this.isWatching = true;
    const step = (now) => {
      if (!this.isWatching) return;
      const due = Math.floor(((now - begin) / 1000) * this.description.rate_hz);
      if (due < this.description.frames) {
        this.tell(Math.max(first, due));
        requestAnimationFrame(step);
        return;
      }
      this.isWatching = false;
      this.onend();
    };
    requestAnimationFrame(step);
  }

  pause() {
    this.isWatching = false;
  }

  async seek(seconds) {
    const frame = Math.round(seconds * this.description.rate_hz);
    this.rated = null;
    this.draw(Math.min(Math.max(0, frame), this.description.frames - 1));
  }

  tell(frame) {
    if (frame === this.rated) return;
    this.draw(frame);
    this.dropped += passedBy(this.rated, frame);
    this.rated = frame;
    this.onframe(this.shown.mediaTime, frame, performance.now(), 0);
  }

  draw(frame) {
    const time = frame / this.description.rate_hz;
    this.shown = { mediaTime: time, frame };
    const { steps, transition_seconds: length } = this.description;
    let index = steps.length - 1;
    while (index > 0 && steps[index].start_seconds > time) index -= 1;
    const before = steps[Math.max(0, index - 1)];
    const share = Math.min(1, Math.max(0, (time - steps[index].start_seconds) / length));
    const eased = 0.5 - 0.5 * Math.cos(Math.PI * share);
    const place = (axis) => {
      if (!axis) return 0;
      const value = before[axis.name] + eased * (steps[index][axis.name] - before[axis.name]);
      return (2 * (value - axis.low)) / (axis.high - axis.low) - 1;
    };
    this.show(place(this.axes.y), place(this.axes.x));
  }
}
