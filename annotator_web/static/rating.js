// The rating page: what is watched beside the plane, sample by sample to the server.

import { ClipError, DrawnClip, UNSUPPORTED, VideoClip } from "./clip.js";
import { Devices } from "./devices.js";
import { axesOf, handFor } from "./hand.js";
import { buildHelp } from "./help.js";
import { labelRoom } from "./labels.js";
import { Outbox } from "./outbox.js";
import { Plane } from "./plane.js";
import { Sender, ask } from "./sender.js";
import { announce, cover, fillWords, setState, showSaving, showStall, stateNow, troubleOf, uncover } from "./sheet.js";
import { Slider } from "./slider.js";
import { Trace } from "./trace.js";
import { Transport } from "./transport.js";
import { say, setLanguage } from "./words.js";

const TICK_SECONDS = 1e-4; // browsers round media times
const HAND_OFF = 16; // flag: no hand on the device
const REMEMBER_MS = 1000;
const LONGEST_STEP_SECONDS = 0.1; // a hand does not leap because the page was asleep

const find = (id) => document.getElementById(id);
const config = JSON.parse(find("room").dataset.config);

/** What this browser keeps of a take beside its samples: where the hand was, how far it was rated. */
class Memory {
  constructor(take) {
    this.key = `mavfer-hand-${take}`;
  }

  read() {
    try {
      return JSON.parse(localStorage.getItem(this.key)) ?? {};
    } catch {
      return {};
    }
  }

  write(what) {
    try {
      localStorage.setItem(this.key, JSON.stringify(what));
    } catch {
      // A full disk is told of by the sender; the hand then begins in the middle.
    }
  }

  forget() {
    localStorage.removeItem(this.key);
  }
}

class Rating {
  constructor(clip, hand, outbox) {
    this.clip = clip;
    this.hand = hand;
    this.outbox = outbox;
    this.sender = null;
    this.memory = null;
    this.at = 0;
    this.furthest = 0;
    this.wanted = null; // where the rater wants to go while the film is still on its way
    this.remembered = 0;
    this.lastFrame = null;
    this.refresh = [];
    const Face = hand.axes.x && hand.axes.y ? Plane : Slider;
    this.plane = new Face(find("plane"), hand);
    this.trace = config.feedback === "trace" && !config.clip ? new Trace(find("trace"), hand) : null;
    const actions = { toggle: () => this.toggle(), pause: () => this.pause("paused"), seek: (to) => this.seek(to) };
    const options = { mayRewind: config.may_rewind, hasSound: config.sound, video: clip.video };
    this.transport = new Transport(options, actions);
    this.devices = new Devices(config, hand, this.plane, actions);
    this.listen();
  }

  listen() {
    const { clip } = this;
    clip.onframe = (...stamp) => this.sample(...stamp);
    clip.onend = () => this.end();
    clip.onstall = showStall;
    clip.onerror = (error) => this.fail(error);
    clip.oninterrupt = (reason) => this.pause(reason === "hidden" ? "hidden" : "paused");
    addEventListener("pagehide", () => this.remember());
    find("start").addEventListener("click", () => this.start().catch((error) => this.fail(error)));
    find("plane").addEventListener("focus", () => this.plane.speak(performance.now()));
    requestAnimationFrame((now) => this.frame(now));
  }

  /** Once a frame: the devices, the hand, and what is seen of it. */
  frame(now) {
    const seconds = Math.min(LONGEST_STEP_SECONDS, (now - (this.lastFrame ?? now)) / 1000);
    this.lastFrame = now;
    this.devices.step(now, seconds);
    this.plane.draw();
    if (stateNow() === "playing" && this.trace) {
      this.trace.add(seconds);
      this.trace.draw();
    }
    this.plane.speak(now);
    if (seconds > 0 && this.refresh.length < 120) this.refresh.push(seconds);
    requestAnimationFrame((later) => this.frame(later));
  }

  get refreshHz() {
    const sorted = [...this.refresh].sort((a, b) => a - b);
    return sorted.length ? Math.round(1 / sorted[sorted.length >> 1]) : null;
  }

  /** Begins a take, or takes up the one that was begun; media time of its last sample. */
  async connect(state) {
    this.sender = new Sender(this.outbox, state, config.csrf);
    this.sender.onstate = () => showSaving(this.sender);
    this.sender.onrefused = (error) => this.fail(error);
    this.memory = new Memory(state.take);
    return this.sender.resume();
  }

  async start() {
    find("start").hidden = true;
    if (!this.sender) {
      const names = config.dimensions.map((d) => d.name);
      const body = { session: config.session, dimensions: names, client: Devices.document(this.clip) };
      const onabsent = () => cover(say("absent_title"), say("absent_text"), { kind: "busy" });
      const begun = await ask("POST", "/api/v1/takes", { csrf: config.csrf, body, onabsent });
      await this.connect({ media_time: 0, ...begun, dimensions: names, chunks: 0, samples: 0, missing: [] });
    }
    uncover();
    setState("playing");
    announce(say("playing"));
    find("plane").focus({ preventScroll: true });
    await this.clip.play();
  }

  pause(why) {
    if (stateNow() !== "playing") return;
    this.clip.pause();
    this.sender.seal();
    this.remember();
    setState("paused");
    cover(say(`${why}_title`), say(`${why}_text`), { button: say("continue"), keys: keysText() });
  }

  toggle() {
    if (document.querySelector("dialog[open]")) return;
    if (stateNow() === "playing") this.pause("paused");
    else if (!find("start").hidden) find("start").click();
  }

  /** Goes back to a place that was rated, or forth to where rating ended; the last wish counts. */
  async seek(seconds) {
    const state = stateNow();
    if (!this.sender || !["playing", "paused", "ready"].includes(state)) return;
    const isOnTheWay = this.wanted !== null;
    this.wanted = seconds;
    this.show(seconds);
    if (isOnTheWay) return;
    if (state === "playing") this.clip.pause();
    else find("cover").classList.add("peek");
    this.sender.seal();
    this.trace?.clear();
    let gone = null;
    while (gone !== this.wanted) {
      gone = this.wanted;
      await this.clip.seek(gone);
    }
    this.wanted = null;
    announce(say("went_to", { at: find("time").textContent }));
    if (stateNow() === "playing") await this.clip.play();
  }

  sample(mediaTime, frame, now, flags) {
    const off = this.hand.isHeld ? 0 : HAND_OFF;
    this.sender.add({ media_time: mediaTime, frame, clock_ms: now, ...this.hand.values(), flags: flags | off });
    this.show(mediaTime);
    if (now - this.remembered > REMEMBER_MS) this.remember();
  }

  show(seconds) {
    this.at = seconds;
    this.furthest = Math.max(this.furthest, seconds);
    this.transport.show(seconds, this.clip.seconds, this.furthest);
  }

  remember() {
    this.remembered = performance.now();
    this.memory?.write({ values: this.hand.values(), furthest: this.furthest });
  }

  async end() {
    setState("sending");
    this.show(this.clip.seconds);
    cover(say("sending_title"), say("sending_text"), { kind: "busy" });
    try {
      await this.sender.finish(this.devices.documentAtEnd(this.clip, this.refreshHz));
    } catch (error) {
      this.fail(error);
      return;
    }
    this.memory.forget();
    setState("finished");
    showSaving(this.sender);
    cover(say("finished_title"), say(`finished_${config.purpose}`), { link: say("next"), kind: "good" });
  }

  fail(error) {
    if (stateNow() === "failed") return;
    this.clip.pause();
    setState("failed");
    find("onward").href = config.home;
    cover(...troubleOf(error), { link: say("to_list"), kind: "bad" });
  }

  /** Where the take goes on; true where all of it was rated. */
  async takeUp() {
    let at = 0;
    if (config.take) {
      at = Math.max(0, (await this.connect(config.take)) ?? 0);
      const { values, furthest } = this.memory.read();
      if (values) this.hand.setValues(values);
      this.furthest = Math.max(at, furthest ?? 0);
    }
    const isAllRated = at >= this.clip.last - TICK_SECONDS;
    await this.clip.load(isAllRated ? 0 : at);
    this.furthest = Math.min(this.furthest, this.clip.last);
    this.show(at);
    this.plane.draw();
    return isAllRated;
  }
}

function keysText() {
  const isTouch = matchMedia("(pointer: coarse)").matches;
  return say(isTouch ? "keys_touch" : `keys_${config.scale}`);
}

async function openClip(axes) {
  const onabsent = () => cover(say("absent_title"), say("absent_text"), { kind: "busy" });
  if (config.clip) return new DrawnClip(find("drawn"), await ask("GET", config.clip, { onabsent }), axes);
  if (!VideoClip.isSupported()) throw new ClipError(UNSUPPORTED);
  const { pts_seconds: times } = await ask("GET", config.frames, { onabsent });
  return new VideoClip(find("video"), config.video, times);
}

async function main() {
  setLanguage(config.words, config.language);
  fillWords();
  setState("loading");
  const axes = axesOf(config.dimensions);
  const hand = handFor(axes, config);
  labelRoom(config, hand);
  const clip = await openClip(axes);
  const rating = new Rating(clip, hand, await Outbox.open(config.rater));
  const isOneDimension = !(axes.x && axes.y);
  const facts = { isOneDimension, hasSound: config.sound, mayRewind: config.may_rewind };
  buildHelp(config, facts, () => rating.pause("paused"));
  if (await rating.takeUp()) {
    await rating.end();
    return;
  }
  setState("ready");
  const name = config.take ? "again" : `ready_${config.purpose}`;
  cover(say(`${name}_title`), say(`${name}_text`), { button: say(config.take ? "continue" : "start"), keys: keysText() });
}

main().catch((error) => {
  setState("failed");
  find("onward").href = config.home;
  cover(...troubleOf(error), { link: say("to_list"), kind: "bad" });
});
