// What the page says: the sheet over the picture, the state of saving, and what screen readers hear.

import { has, say } from "./words.js";

const SPOKEN_EVERY_MS = 1000;
const FEW_CHUNKS = 2; // always on their way

const find = (id) => document.getElementById(id);
let heard = { text: "", at: -Infinity, timer: null };

/** Fills every element that names its words, once. */
export function fillWords() {
  for (const element of document.querySelectorAll("[data-say]")) element.textContent = say(element.dataset.say);
  for (const element of document.querySelectorAll("[data-say-label]")) {
    element.setAttribute("aria-label", say(element.dataset.sayLabel));
    if (element instanceof HTMLButtonElement) element.title = say(element.dataset.sayLabel);
  }
}

/** Tells a screen reader, once a second at most; the last one counts. */
export function announce(text) {
  if (text === heard.text) return;
  heard.text = text;
  clearTimeout(heard.timer);
  const pause = Math.max(0, heard.at + SPOKEN_EVERY_MS - performance.now());
  heard.timer = setTimeout(() => {
    heard.at = performance.now();
    find("live").textContent = heard.text;
  }, pause);
}

/** Shows the sheet with a title, a text, and at most one thing to do. */
export function cover(title, text, { button = null, link = null, keys = "", kind = "" } = {}) {
  const sheet = find("cover");
  sheet.hidden = false;
  sheet.dataset.kind = kind;
  sheet.classList.remove("peek");
  find("cover-title").textContent = title;
  find("cover-text").textContent = text;
  find("start").hidden = button === null;
  find("start").textContent = button ?? "";
  find("onward").hidden = link === null;
  find("onward").textContent = link ?? "";
  find("cover-keys").hidden = !keys;
  find("cover-keys").textContent = keys;
  announce(`${title}. ${text}`);
  if (button !== null) find("start").focus({ preventScroll: true });
  if (link !== null) find("onward").focus({ preventScroll: true });
}

export function uncover() {
  find("cover").hidden = true;
}

/** Where the keyboard goes on after a dialog: to what is to be pressed, else to the face. */
export function focusRoom() {
  const [next] = ["start", "onward", "plane"].map(find).filter((element) => element.checkVisibility());
  next.focus({ preventScroll: true });
}

export function setState(state) {
  find("room").dataset.state = state;
  const toggle = find("toggle");
  toggle.disabled = !["ready", "playing", "paused"].includes(state);
  const label = say(state === "playing" ? "pause" : "play");
  toggle.setAttribute("aria-label", label);
  toggle.title = label;
}

export const stateNow = () => find("room").dataset.state;

/** Where what was given is: with the server, on its way, or kept here. */
export function showSaving(sender) {
  const waiting = sender.waiting.length;
  const isBad = !sender.isKept && (sender.isAbsent || waiting > FEW_CHUNKS);
  const kind = isBad ? "unkept" : sender.isAbsent ? "kept" : waiting > FEW_CHUNKS ? "saving" : "saved";
  const place = find("saving");
  const before = place.dataset.kind;
  place.dataset.kind = kind;
  place.querySelector("span").textContent = say(`saving_${kind}`, { seconds: waiting });
  if (kind === before) return;
  if (kind === "kept" || kind === "unkept") announce(say(`saving_${kind}_said`));
  else if (before === "kept") announce(say("saving_back"));
}

/** The wheel that turns while the film waits, and why. */
export function showStall(isWaiting, key) {
  find("room").classList.toggle("stalled", isWaiting);
  find("stall").hidden = !(isWaiting && key);
  if (key) find("stall").textContent = say(key.replace(/^room\./, ""));
  if (isWaiting && key) announce(find("stall").textContent);
}

const OUT = [401, 403];

/** Title and text for what went wrong. */
export function troubleOf(error) {
  const key = error.key?.replace(/^room\./, "");
  if (key) return [say(has(`${key}_title`) ? `${key}_title` : "trouble_title"), say(key)];
  if (error.code === "withdrawn") return [say("withdrawn_title"), say("withdrawn")];
  if (OUT.includes(error.status)) return [say("ended_title"), say("ended")];
  if (error.status) return [say("trouble_title"), `${error.message}${error.hint ? `. ${error.hint}` : ""}`];
  return [say("trouble_title"), say("trouble", { what: error.message })];
}
