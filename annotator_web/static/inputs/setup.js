// Setting up a gamepad or joystick: which one, where it rests, how far it goes.

import { NEUTRAL, connected, deflectionOf, keepProfile, profileFrom } from "./gamepad.js";
import { focusRoom } from "../sheet.js";
import { say } from "../words.js";

const REST_MS = 1000;
const SECTORS = 12;
const SECTORS_NEEDED = 10;
const FAR = 0.5; // of what an axis can say; nearer to the middle is no circle
const NAMESPACE = "http://www.w3.org/2000/svg";

const find = (id) => document.getElementById(id);

function draw(name, attributes, parent) {
  const element = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  parent.append(element);
  return element;
}

/** The dialog; the hand does not move while it is open. */
export class GamepadSetup {
  constructor(input, onopen) {
    this.input = input;
    this.onopen = onopen;
    this.dialog = find("setup");
    this.step = null;
    this.drawView();
    find("pads").addEventListener("click", () => this.open());
    find("setup-close").addEventListener("click", () => this.dialog.close());
    find("setup-next").addEventListener("click", () => this.next());
    find("setup-device").addEventListener("change", (event) => this.input.choose(event.target.value));
    this.dialog.addEventListener("close", () => {
      this.step = null;
      focusRoom();
    });
    for (const kind of ["gamepadconnected", "gamepaddisconnected"]) addEventListener(kind, () => this.offer());
    this.offer();
  }

  get isOpen() {
    return this.dialog.open;
  }

  /** Shows the button where there is something to set up. */
  offer() {
    const pads = connected();
    find("pads").hidden = pads.length === 0;
    find("setup-device").replaceChildren(...pads.map((pad) => new Option(pad.id, pad.id, false, pad.id === this.input.id)));
    find("setup-devices").hidden = pads.length < 2;
  }

  drawView() {
    const view = find("setup-view");
    draw("circle", { r: 50, class: "rim" }, view);
    this.sectors = Array.from({ length: SECTORS }, (_, index) => {
      const angle = (2 * Math.PI * index) / SECTORS;
      return draw("circle", { cx: 50 * Math.cos(angle), cy: 50 * Math.sin(angle), r: 3.5, class: "sector" }, view);
    });
    this.dot = draw("circle", { r: 7, class: "stick" }, view);
  }

  open() {
    if (document.querySelector("dialog[open]")) return;
    this.onopen();
    this.offer();
    this.go("rest");
    this.dialog.showModal();
    find("setup-next").focus();
  }

  go(step) {
    this.step = step;
    this.begun = null;
    find("setup-text").textContent = say(`setup_${step}`);
    find("setup-next").textContent = say(`setup_${step}_next`);
    find("setup-next").disabled = step === "circle";
    for (const sector of this.sectors) sector.classList.toggle("full", step === "done");
    if (step === "circle") this.startCircle();
  }

  next() {
    if (this.step === "rest") {
      this.rest = [];
      this.begun = performance.now();
      find("setup-next").disabled = true;
      find("setup-text").textContent = say("setup_resting");
    } else if (this.step === "circle") this.keep();
    else this.dialog.close();
  }

  startCircle() {
    this.low = this.rest.at(-1).map((value) => value);
    this.high = [...this.low];
    this.seen = new Set();
  }

  /** Once a frame while it is open. */
  poll(now) {
    const pad = connected().find((one) => one.id === this.input.id);
    if (!pad) return;
    if (this.begun !== null && this.step === "rest") this.watchRest(pad, now);
    else if (this.step === "circle") this.watchCircle(pad);
    const profile = this.step === "done" ? this.input.profile : { ...NEUTRAL, dead_zone: 0 };
    const [x, y] = this.step === "circle" ? this.raw(pad) : deflectionOf(pad.axes, profile);
    this.dot.setAttribute("transform", `translate(${(43 * x).toFixed(1)} ${(-43 * y).toFixed(1)})`);
  }

  raw(pad) {
    const [x, down] = NEUTRAL.axes.map((index) => pad.axes[index]);
    return [x, -down];
  }

  watchRest(pad, now) {
    this.rest.push(NEUTRAL.axes.map((index) => pad.axes[index]));
    if (now - this.begun < REST_MS) return;
    this.go("circle");
  }

  watchCircle(pad) {
    const place = NEUTRAL.axes.map((index) => pad.axes[index]);
    place.forEach((value, side) => {
      this.low[side] = Math.min(this.low[side], value);
      this.high[side] = Math.max(this.high[side], value);
    });
    const away = place.map((value, side) => value - this.rest[0][side]);
    if (Math.hypot(...away) < FAR) return;
    const sector = (Math.round((Math.atan2(away[1], away[0]) / (2 * Math.PI)) * SECTORS) + SECTORS) % SECTORS;
    this.seen.add(sector);
    this.sectors[sector].classList.add("full");
    find("setup-next").disabled = this.seen.size < SECTORS_NEEDED;
  }

  keep() {
    const profile = profileFrom(NEUTRAL.axes, this.rest, this.low, this.high);
    keepProfile(this.input.id, profile);
    this.input.choose(this.input.id);
    this.go("done");
  }
}
