// Play and pause, the time line with the way back, and the sound where there is one.

import { clock, say } from "./words.js";

const STEP_SECONDS = 5;
const LONG_STEP_SECONDS = 10;
const DRAWN_EVERY_SECONDS = 0.1; // a line that creeps need not be painted with every frame
const LEVEL_STEP = 0.1;
const SOUND_KEY = "mavfer-sound";

const find = (id) => document.getElementById(id);

export class Transport {
  /**
   * @param options mayRewind, hasSound, video
   * @param actions toggle(), pause(), seek(seconds)
   */
  constructor({ mayRewind, hasSound, video }, actions) {
    this.mayRewind = mayRewind;
    this.actions = actions;
    this.at = 0;
    this.seconds = 1;
    this.furthest = 0;
    this.drawn = NaN; // where the line was drawn last
    this.shown = "";
    this.line = find("timeline");
    this.sound = hasSound ? new Sound(video) : null;
    find("toggle").addEventListener("click", () => actions.toggle());
    if (mayRewind) this.openWayBack();
    addEventListener("keydown", (event) => this.press(event));
  }

  openWayBack() {
    find("back").hidden = false;
    find("back").addEventListener("click", () => this.go(-STEP_SECONDS));
    this.line.classList.add("open");
    for (const [name, value] of Object.entries({ role: "slider", tabindex: 0, "aria-label": say("timeline"), "aria-valuemin": 0 })) {
      this.line.setAttribute(name, value);
    }
    this.line.addEventListener("pointerdown", (event) => {
      this.line.setPointerCapture(event.pointerId);
      this.goTo(this.pointed(event));
      event.preventDefault();
      this.line.focus({ preventScroll: true });
    });
    this.line.addEventListener("pointermove", (event) => {
      if (this.line.hasPointerCapture(event.pointerId)) this.goTo(this.pointed(event));
    });
  }

  pointed(event) {
    const box = this.line.getBoundingClientRect();
    return ((event.clientX - box.left) / box.width) * this.seconds;
  }

  /** Where the film is, how long it is, and how far it was rated. */
  show(at, seconds, furthest) {
    const isMoved = !(Math.abs(at - this.drawn) < DRAWN_EVERY_SECONDS);
    Object.assign(this, { at, seconds, furthest });
    if (!isMoved && at < seconds) return;
    this.drawn = at;
    find("progress").value = at / seconds;
    this.line.style.setProperty("--at", at / seconds);
    this.line.style.setProperty("--reached", furthest / seconds);
    const text = `${clock(at)} / ${clock(seconds)}`;
    if (text === this.shown) return;
    this.shown = text;
    find("time").textContent = text;
    if (!this.mayRewind) return;
    this.line.setAttribute("aria-valuemax", Math.round(seconds));
    this.line.setAttribute("aria-valuenow", Math.floor(at));
    this.line.setAttribute("aria-valuetext", say("time_of", { at: clock(at), end: clock(seconds) }));
  }

  go(seconds) {
    this.goTo(this.at + seconds);
  }

  /** Goes to a place that was rated before; further than that nothing leads. */
  goTo(seconds) {
    if (!this.mayRewind) return;
    this.actions.seek(Math.min(this.furthest, Math.max(0, seconds)));
  }

  press(event) {
    const isTaken = event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey;
    if (isTaken || event.target.closest?.("dialog")) return;
    const isOnLine = event.target === this.line;
    const action = (isOnLine && this.lineKeys()[event.key]) || this.keys(event)[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  }

  lineKeys() {
    return {
      ArrowLeft: () => this.go(-STEP_SECONDS),
      ArrowDown: () => this.go(-STEP_SECONDS),
      ArrowRight: () => this.go(STEP_SECONDS),
      ArrowUp: () => this.go(STEP_SECONDS),
      PageDown: () => this.go(-LONG_STEP_SECONDS),
      PageUp: () => this.go(LONG_STEP_SECONDS),
      Home: () => this.goTo(0),
      End: () => this.goTo(this.furthest),
    };
  }

  keys(event) {
    const isOnButton = event.target instanceof HTMLButtonElement || event.target instanceof HTMLAnchorElement;
    return {
      ...(isOnButton ? {} : { " ": () => this.actions.toggle() }),
      Escape: () => this.actions.pause(),
      j: () => this.go(-STEP_SECONDS),
      J: () => this.go(-LONG_STEP_SECONDS),
      l: () => this.go(STEP_SECONDS),
      L: () => this.goTo(this.furthest),
      ...(this.sound ? this.sound.keys() : {}),
    };
  }
}

/** How loud it is; remembered for the next film. */
class Sound {
  constructor(video) {
    this.video = video;
    const { level = 1, isMuted = false } = JSON.parse(localStorage.getItem(SOUND_KEY) ?? "{}");
    find("sound").hidden = false;
    find("mute").addEventListener("click", () => this.set(this.video.volume, !this.video.muted));
    find("volume").addEventListener("input", (event) => this.set(Number(event.target.value), false));
    find("volume").addEventListener("keydown", (event) => event.key.startsWith("Arrow") && event.stopPropagation());
    this.set(level, isMuted);
  }

  set(level, isMuted) {
    this.video.volume = Math.min(1, Math.max(0, level));
    this.video.muted = isMuted;
    find("volume").value = this.video.volume;
    find("mute").setAttribute("aria-pressed", isMuted);
    localStorage.setItem(SOUND_KEY, JSON.stringify({ level: this.video.volume, isMuted }));
  }

  keys() {
    return {
      m: () => this.set(this.video.volume, !this.video.muted),
      "+": () => this.set(this.video.volume + LEVEL_STEP, false),
      "-": () => this.set(this.video.volume - LEVEL_STEP, false),
    };
  }
}
