// What is watched: a video, or the drawn face of the warm-up. Both tell of every frame they show.

import { drawFace } from "./face.js";

/** Index of the frame whose time is nearest to `seconds`; `times` ascend. */
export function nearestFrame(times, seconds) {
  let low = 0;
  let high = times.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] < seconds) low = middle + 1;
    else high = middle;
  }
  const before = low - 1;
  return before >= 0 && seconds - times[before] < times[low] - seconds ? before : low;
}

/**
 * A video whose frames are stamped by requestVideoFrameCallback: its media time is the time of the
 * very frame on the screen, where currentTime runs up to three frames ahead.
 */
export class VideoClip {
  constructor(video, url, times) {
    this.video = video;
    this.times = times;
    this.onframe = () => {};
    this.onend = () => {};
    this.onstall = () => {};
    this.shown = null;
    this.isWatching = false;
    video.src = url;
    video.addEventListener("ended", () => this.onend());
    video.addEventListener("waiting", () => this.onstall(true));
    video.addEventListener("playing", () => this.onstall(false));
    video.requestVideoFrameCallback((now, frame) => this.tell(now, frame));
  }

  static isSupported() {
    return "requestVideoFrameCallback" in HTMLVideoElement.prototype;
  }

  async load(seconds) {
    const video = this.video;
    await new Promise((resolve, reject) => {
      if (video.readyState >= 2) resolve();
      video.addEventListener("loadeddata", resolve, { once: true });
      video.addEventListener("error", () => reject(new Error("the video does not play here")), { once: true });
    });
    this.seconds = video.duration;
    if (seconds > 0) {
      const done = new Promise((resolve) => video.addEventListener("seeked", resolve, { once: true }));
      video.currentTime = seconds;
      await done;
    }
  }

  async play() {
    // The frame on the screen was told of while nobody rated; it is rated from now on.
    this.isWatching = true;
    if (this.shown) this.onframe(this.shown.mediaTime, this.shown.frame, performance.now());
    await this.video.play();
  }

  pause() {
    this.isWatching = false;
    this.video.pause();
  }

  /** Time of the last frame. */
  get last() {
    return this.times[this.times.length - 1];
  }

  tell(now, { mediaTime }) {
    this.shown = { mediaTime, frame: nearestFrame(this.times, mediaTime) };
    if (this.isWatching) this.onframe(mediaTime, this.shown.frame, now);
    this.video.requestVideoFrameCallback((later, frame) => this.tell(later, frame));
  }
}

/** The warm-up: a face that jumps from step to step, drawn frame by frame. */
export class DrawnClip {
  constructor(svg, description, axes) {
    this.show = drawFace(svg);
    this.description = description;
    this.axes = axes;
    this.seconds = description.seconds;
    this.last = (description.frames - 1) / description.rate_hz;
    this.onframe = () => {};
    this.onend = () => {};
    this.onstall = () => {};
    this.time = 0;
    this.isWatching = false;
  }

  async load(seconds) {
    this.time = seconds;
    this.draw();
  }

  async play() {
    const begin = performance.now() - this.time * 1000;
    this.isWatching = true;
    const step = (now) => {
      if (!this.isWatching) return;
      const frame = Math.max(0, Math.floor(((now - begin) / 1000) * this.description.rate_hz));
      if (frame >= this.description.frames) {
        this.isWatching = false;
        this.onend();
        return;
      }
      this.time = frame / this.description.rate_hz;
      this.draw();
      this.onframe(this.time, frame, now);
      requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
  }

  pause() {
    this.isWatching = false;
  }

  draw() {
    const { steps, transition_seconds: length } = this.description;
    let index = steps.length - 1;
    while (index > 0 && steps[index].start_seconds > this.time) index -= 1;
    const before = steps[Math.max(0, index - 1)];
    const share = Math.min(1, Math.max(0, (this.time - steps[index].start_seconds) / length));
    const eased = 0.5 - 0.5 * Math.cos(Math.PI * share);
    const place = (axis) => {
      if (!axis) return 0;
      const value = before[axis.name] + eased * (steps[index][axis.name] - before[axis.name]);
      return (2 * (value - axis.low)) / (axis.high - axis.low) - 1;
    };
    this.show(place(this.axes.y), place(this.axes.x));
  }
}
