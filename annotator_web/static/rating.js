// The rating page: what is watched beside the plane, sample by sample to the server.

import { DrawnClip, VideoClip } from "./clip.js";
import { Plane, axesOf } from "./plane.js";
import { Outbox } from "./outbox.js";
import { Refused, Sender, ask } from "./sender.js";

const TICK_SECONDS = 1e-4; // browsers round media times
const HAND_OFF = 16; // flag: no hand on the device

const find = (id) => document.getElementById(id);
const room = find("room");
const config = JSON.parse(room.dataset.config);
const axes = axesOf(config.dimensions);

const TEXTS = {
  clip: [
    "Meet the face",
    "A drawn face changes its expression. Follow it with your own: whenever it changes, move to where it fits, as quickly as you can.",
  ],
  video: ["Ready?", "Watch the person, and keep your face where they seem to be. Follow every change, all the way to the end."],
  again: ["Welcome back", "Everything so far is safe. Go on where you stopped."],
  paused: ["Paused", "Take your time. Nothing is recorded while you rest."],
  hidden: ["Paused", "You were away, so it waited for you."],
  sending: ["Almost there", "Sending the last moments. Please keep this page open."],
};
const KEYS = "Point with the mouse or a finger, or hold the arrow keys. Space pauses.";

function cover(title, text, { button = null, link = null, keys = false, kind = "" } = {}) {
  find("cover").hidden = false;
  find("cover").dataset.kind = kind;
  find("cover-title").textContent = title;
  find("cover-text").textContent = text;
  find("start").hidden = button === null;
  find("start").textContent = button ?? "";
  find("onward").hidden = link === null;
  find("onward").textContent = link ?? "";
  find("cover-keys").hidden = !keys;
  find("cover-keys").textContent = keys ? KEYS : "";
  if (button !== null) find("start").focus({ preventScroll: true });
}

function setState(state) {
  room.dataset.state = state;
  const toggle = find("toggle");
  toggle.disabled = !["ready", "playing", "paused"].includes(state);
  toggle.setAttribute("aria-label", state === "playing" ? "Pause" : "Play");
}

function showSaving(sender) {
  const waiting = sender.waiting.length;
  const kind = sender.isAbsent ? "kept" : waiting ? "saving" : "saved";
  const texts = { saved: "Saved", saving: "Saving…", kept: `No connection · ${waiting} s kept here` };
  find("saving").dataset.kind = kind;
  find("saving").querySelector("span").textContent = texts[kind];
}

function clock(seconds) {
  const whole = Math.floor(seconds + 1e-6);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

function showTime(at, seconds) {
  find("progress").value = at / seconds;
  find("time").textContent = `${clock(at)} / ${clock(seconds)}`;
}

function labelAxes() {
  for (const word of document.querySelectorAll(".word")) {
    const axis = axes[word.dataset.axis];
    word.textContent = axis ? axis[`${word.dataset.end}_word`] : "";
  }
  room.classList.toggle("across", !axes.y);
  room.classList.toggle("upward", !axes.x);
}

async function openClip() {
  if (config.clip) {
    return new DrawnClip(find("drawn"), await ask("GET", config.clip), axes);
  }
  if (!VideoClip.isSupported()) {
    throw new Error("This browser cannot tell which frame it shows. Please use a current Chrome, Edge, Safari or Firefox.");
  }
  const { pts_seconds: times } = await ask("GET", config.frames);
  return new VideoClip(find("video"), config.video, times);
}

function client() {
  return {
    device: matchMedia("(pointer: coarse)").matches ? "touch" : "pointer",
    time_source: config.clip ? "drawn" : "requestVideoFrameCallback",
    browser: navigator.userAgent,
    screen: [screen.width, screen.height],
    pixel_ratio: devicePixelRatio,
  };
}

/** Holds the take for this page alone; false where another tab rates it. */
function lockTake(take) {
  if (!navigator.locks) return Promise.resolve(true);
  return new Promise((resolve) => {
    navigator.locks.request(`mavfer-${take}`, { ifAvailable: true }, (lock) => {
      resolve(lock !== null);
      return lock ? new Promise(() => {}) : null;
    });
  });
}

class Rating {
  constructor(clip, plane, outbox) {
    this.clip = clip;
    this.plane = plane;
    this.outbox = outbox;
    this.sender = null;
    clip.onframe = (mediaTime, frame, now) => this.sample(mediaTime, frame, now);
    clip.onend = () => this.end();
    clip.onstall = (isWaiting) => room.classList.toggle("stalled", isWaiting);
  }

  /** Begins a take, or takes up the one that was begun. */
  async connect(state) {
    if (!(await lockTake(state.take))) throw new Error("This session is open in another tab. Go on there.");
    this.sender = new Sender(this.outbox, state, config.csrf);
    this.sender.onstate = () => showSaving(this.sender);
    this.sender.onrefused = (error) => this.fail(error);
    return this.sender.resume();
  }

  async start() {
    find("start").hidden = true;
    if (!this.sender) {
      const names = config.dimensions.map((d) => d.name);
      const body = { session: config.session, dimensions: names, client: client() };
      const { take } = await ask("POST", "/api/v1/takes", { csrf: config.csrf, body });
      await this.connect({ take, dimensions: names, chunks: 0, samples: 0, missing: [] });
    }
    find("cover").hidden = true;
    setState("playing");
    this.plane.element.focus({ preventScroll: true });
    await this.clip.play();
  }

  pause(texts) {
    if (room.dataset.state !== "playing") return;
    this.clip.pause();
    this.sender.seal();
    setState("paused");
    cover(...texts, { button: "Continue", keys: true });
  }

  toggle() {
    if (room.dataset.state === "playing") this.pause(TEXTS.paused);
    else if (!find("start").hidden) find("start").click();
  }

  sample(mediaTime, frame, now) {
    const flags = this.plane.isHeld ? 0 : HAND_OFF;
    this.sender.add({ media_time: mediaTime, frame, clock_ms: now, ...this.plane.values(), flags });
    showTime(mediaTime, this.clip.seconds);
  }

  async end() {
    setState("sending");
    showTime(this.clip.seconds, this.clip.seconds);
    cover(...TEXTS.sending, { kind: "busy" });
    try {
      await this.sender.finish();
    } catch (error) {
      this.fail(error);
      return;
    }
    localStorage.removeItem(`mavfer-${this.sender.take}`);
    setState("finished");
    showSaving(this.sender);
    const text = config.clip
      ? "Your warm-up has arrived. Now you know the controls: on to real faces."
      : "Every moment of your rating has arrived safely.";
    cover("Finished", text, { link: "Go on", kind: "good" });
    find("onward").focus();
  }

  fail(error) {
    this.clip.pause();
    setState("failed");
    const isOut = error instanceof Refused && [401, 403].includes(error.status);
    const text = `${error.message}${error.hint ? `. ${error.hint}` : ""}`;
    cover(isOut ? "Your invitation has ended" : "That did not work", text, { link: "Back to your list", kind: "bad" });
  }

  /** The place of the hand, for coming back to. */
  remember() {
    if (!this.sender) return;
    localStorage.setItem(`mavfer-${this.sender.take}`, JSON.stringify(this.plane.values()));
  }

  leave() {
    if (room.dataset.state === "playing") this.pause(TEXTS.hidden);
    this.remember();
  }
}

async function main() {
  labelAxes();
  const plane = new Plane(find("plane"), find("puck"), axes);
  const clip = await openClip();
  const rating = new Rating(clip, plane, await Outbox.open());
  let at = 0;
  if (config.take) {
    const left = await rating.connect(config.take);
    at = Math.max(config.take.media_time, left ?? 0);
    const place = localStorage.getItem(`mavfer-${config.take.take}`);
    if (place) plane.setValues(JSON.parse(place));
  }
  const isAllRated = at >= clip.last - TICK_SECONDS;
  await clip.load(isAllRated ? 0 : at);
  showTime(at, clip.seconds);
  find("start").addEventListener("click", () => rating.start().catch((error) => rating.fail(error)));
  find("toggle").addEventListener("click", () => rating.toggle());
  addEventListener("keydown", (event) => {
    const isOurs = event.key === " " && !(event.target instanceof HTMLButtonElement);
    if (!isOurs) return;
    event.preventDefault();
    rating.toggle();
  });
  document.addEventListener("visibilitychange", () => document.hidden && rating.leave());
  addEventListener("pagehide", () => rating.leave());
  if (isAllRated) {
    await rating.end();
    return;
  }
  setState("ready");
  const texts = config.take ? TEXTS.again : TEXTS[config.clip ? "clip" : "video"];
  cover(...texts, { button: config.take ? "Continue" : "Start", keys: true });
}

main().catch((error) => {
  setState("failed");
  cover("That did not work", `${error.message}`, { link: "Back to your list", kind: "bad" });
});
