// What is watched: a video, every frame of which is told once, with the stamp of its own picture.

import { middleOf, nearestFrame, passedBy } from "./frames.js";

export { DrawnClip } from "./drawn_clip.js";
export { nearestFrame } from "./frames.js";

const APPROXIMATE = 8; // flag: the stamp is no time of the table
const OFF_SECONDS = 1e-3; // stamps are rounded to microseconds, times of frames to 11 of them
const SETTLE_MS = 20;
const SETTLE_TRIES = 100;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 8000;
const MOST_BROKEN = 2; // times that a video which the server sends may fail to play

/** Key of the words for a browser that cannot tell which frame it shows. */
export const UNSUPPORTED = "room.unsupported";

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const online = () => new Promise((resolve) => addEventListener("online", resolve, { once: true }));

/** What keeps a clip from being shown; `key` names the words that tell of it. */
export class ClipError extends Error {
  constructor(key) {
    super(key);
    this.key = key;
  }
}

/**
 * A video whose frames are stamped by the picture itself: at each callback and each repaint the
 * picture that the video would paint now is asked for its own time (WebCodecs). The media time of
 * requestVideoFrameCallback, for browsers without, is a frame off in one of a few hundred under
 * load; currentTime runs up to three frames ahead and is never used.
 *
 * onframe(mediaTime, frame, now, flags) tells of each picture once; onend; onstall(isWaiting, key);
 * onerror(ClipError) when it cannot go on; oninterrupt("hidden" | "paused") when the browser, not
 * the page, has stopped it.
 */
export class VideoClip {
  constructor(video, url, times) {
    this.video = video;
    this.url = url;
    this.times = times;
    for (const name of ["onframe", "onend", "onstall", "onerror", "oninterrupt"]) this[name] = () => {};
    this.shown = null; // {mediaTime, frame} of the picture on the screen
    this.dropped = 0; // frames passed by while rating
    this.rated = null; // frame of the last sample since the last jump
    this.presented = null; // what requestVideoFrameCallback said last
    this.asksPictures = typeof VideoFrame === "function";
    this.isWatching = false;
    this.isSeeking = false;
    this.isLoaded = false;
    this.isJumping = false; // within seek()
    this.turn = 0;
    video.src = url;
    this.listen();
    this.await();
  }

  static isSupported() {
    return "requestVideoFrameCallback" in HTMLVideoElement.prototype;
  }

  /** Where stamps come from, for the take's document. */
  get timeSource() {
    return this.asksPictures ? "VideoFrame" : "requestVideoFrameCallback";
  }

  /** Time of the last frame. */
  get last() {
    return this.times[this.times.length - 1];
  }

  listen() {
    const { video } = this;
    video.addEventListener("ended", () => this.end());
    video.addEventListener("waiting", () => this.onstall(true));
    video.addEventListener("playing", () => this.onstall(false));
    video.addEventListener("error", () => this.isLoaded && this.recover());
    video.addEventListener("pause", () => video.paused && !video.ended && this.interrupt("paused"));
    video.addEventListener("seeking", () => this.leap());
    video.addEventListener("seeked", () => {
      if (!this.isJumping) this.isSeeking = false; // somebody else's jump
    });
    document.addEventListener("visibilitychange", () => document.hidden && this.interrupt("hidden"));
  }

  await() {
    this.video.requestVideoFrameCallback((now, { mediaTime }) => {
      this.presented = mediaTime;
      this.look();
      this.await();
    });
  }

  /** Shows the frame at `seconds`; `isRated` says whether it has its sample already. */
  async load(seconds, isRated = seconds > 0) {
    await this.ready();
    this.isLoaded = true;
    this.seconds = this.video.duration;
    if (seconds > 0) await this.seek(seconds);
    else this.look();
    if (isRated) this.rated = this.shown?.frame ?? null;
  }

  async play() {
    this.isWatching = true;
    // The frame on the screen was told of while nobody rated; it is rated from now on.
    this.look();
    this.follow();
    try {
      await this.video.play();
    } catch (error) {
      if (error.name !== "NotAllowedError") return; // paused again, or being loaded again
      this.isWatching = false;
      throw new ClipError("room.video_blocked");
    }
  }

  pause() {
    if (this.isWatching) this.look();
    this.isWatching = false;
    this.video.pause();
  }

  /** Shows the frame nearest to `seconds`; returns once it is on the screen. No samples on the way. */
  async seek(seconds) {
    const frame = nearestFrame(this.times, seconds);
    const turn = (this.turn += 1);
    this.isJumping = true;
    this.leap();
    this.video.currentTime = middleOf(this.times, frame);
    for (let tries = 0; tries < SETTLE_TRIES || this.video.seeking; tries += 1) {
      await wait(SETTLE_MS);
      if (turn !== this.turn || this.video.error) return; // another jump, or loaded again
      if (!this.video.seeking && this.isThere(frame)) break;
    }
    this.isJumping = false;
    this.isSeeking = false;
    this.look();
  }

  isThere(frame) {
    const stamp = this.stamp();
    if (stamp === null) return false;
    const there = nearestFrame(this.times, stamp);
    return there === frame || (!this.video.paused && there > frame);
  }

  /** From here on another pass begins. */
  leap() {
    this.isSeeking = true;
    this.rated = null;
  }

  /** Looks at each repaint; a callback alone comes late, or not at all, on a busy machine. */
  follow() {
    if (!this.isWatching) return;
    this.look();
    requestAnimationFrame(() => this.follow());
  }

  /** Media time of the picture that the video paints at this moment; null where there is none. */
  stamp() {
    if (!this.asksPictures) return this.presented;
    let picture;
    try {
      picture = new VideoFrame(this.video);
    } catch {
      return this.presented;
    }
    const stamp = picture.timestamp / 1e6;
    picture.close();
    if (this.offBy(stamp) <= OFF_SECONDS) return stamp;
    this.asksPictures = false; // a browser that stamps pictures with its own clock
    return this.presented;
  }

  offBy(stamp) {
    return Math.abs(this.times[nearestFrame(this.times, stamp)] - stamp);
  }

  /** Tells of the picture on the screen, once. */
  look() {
    const stamp = this.isSeeking ? null : this.stamp();
    if (stamp === null) return;
    const frame = nearestFrame(this.times, stamp);
    this.shown = { mediaTime: stamp, frame };
    if (!this.isWatching || frame === this.rated) return;
    this.dropped += passedBy(this.rated, frame);
    this.rated = frame;
    this.onframe(stamp, frame, performance.now(), this.offBy(stamp) <= OFF_SECONDS ? 0 : APPROXIMATE);
  }

  end() {
    this.look();
    this.isWatching = false;
    this.onend();
  }

  interrupt(reason) {
    if (!this.isWatching || this.video.error) return;
    this.pause();
    this.oninterrupt(reason);
  }

  /** Waits for a picture; asks again for a video that did not come. */
  async ready() {
    let broken = 0;
    for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
      if (await this.hasPicture()) return;
      if (await this.isServed()) broken += 1;
      if (broken === MOST_BROKEN) throw new ClipError("room.video_broken");
      this.onstall(true, "room.video_lost");
      await Promise.race([wait(pause), online()]);
      this.video.load();
    }
  }

  hasPicture() {
    const { video } = this;
    if (video.error) return Promise.resolve(false);
    if (video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) return Promise.resolve(true);
    return new Promise((resolve) => {
      video.addEventListener("loadeddata", () => resolve(true), { once: true });
      video.addEventListener("error", () => resolve(false), { once: true });
    });
  }

  /** Whether the server sends the video now: then what does not play is the video. */
  async isServed() {
    let response;
    try {
      response = await fetch(this.url, { headers: { Range: "bytes=0-0" }, cache: "no-store" });
    } catch {
      return false;
    }
    if ([401, 403, 404].includes(response.status)) throw new ClipError("room.video_refused");
    return response.ok;
  }

  /** Takes the video up again where the network broke it off. */
  async recover() {
    const frame = this.shown?.frame ?? 0;
    const rated = this.rated;
    this.leap();
    this.onstall(true, "room.video_lost");
    this.video.load();
    try {
      await this.ready();
    } catch (error) {
      this.isWatching = false;
      this.onerror(error);
      return;
    }
    await this.seek(this.times[frame]);
    this.rated = rated;
    this.onstall(false);
    if (this.isWatching) await this.video.play().catch(() => this.interrupt("paused"));
  }
}
