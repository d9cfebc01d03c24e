// The plane on which the rater points: by mouse, finger, pen or arrow keys.

import { drawFace } from "./face.js";

const KEY_SPEED = 1.1; // half scales a second while an arrow is held
const SPOKEN_EVERY_MS = 1000;
const CORNERS = { ne: [1, 1], nw: [1, -1], se: [-1, 1], sw: [-1, -1] };
const ARROWS = { ArrowUp: [0, 1], ArrowDown: [0, -1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };

/** Which dimension runs along which axis: valence across, arousal upward, as in the circumplex. */
export function axesOf(dimensions) {
  const across = dimensions.find((d) => d.name === "valence");
  const upward = dimensions.find((d) => d.name === "arousal");
  if (dimensions.length === 1) {
    return upward ? { x: null, y: upward } : { x: dimensions[0], y: null };
  }
  const rest = dimensions.filter((d) => d !== across && d !== upward);
  return { x: across ?? rest.pop(), y: upward ?? rest.pop() };
}

export class Plane {
  constructor(element, puck, axes) {
    this.element = element;
    this.puck = puck;
    this.axes = axes;
    this.x = 0; // shares of the half scale, -1 to 1
    this.y = 0;
    this.isHeld = false; // whether a hand is on it, by pointer or key
    this.onmove = () => {};
    this.keys = new Set();
    this.spoken = 0;
    this.show = drawFace(puck);
    for (const [corner, [arousal, valence]] of Object.entries(CORNERS)) {
      const hint = element.querySelector(`.hint.${corner}`);
      drawFace(hint)(axes.y ? 0.8 * arousal : 0, axes.x ? 0.8 * valence : 0);
    }
    this.listen();
    this.moveTo(0, 0);
  }

  /** The value of each dimension, in units of its scale. */
  values() {
    const value = (axis, share) => axis.low + ((share + 1) / 2) * (axis.high - axis.low);
    const given = {};
    for (const [name, axis] of Object.entries(this.axes)) {
      if (axis) given[axis.name] = Math.round(value(axis, this[name]) * 1e4) / 1e4;
    }
    return given;
  }

  setValues(given) {
    const share = (axis) => (axis && axis.name in given ? (2 * (given[axis.name] - axis.low)) / (axis.high - axis.low) - 1 : 0);
    this.moveTo(share(this.axes.x), share(this.axes.y));
  }

  moveTo(x, y) {
    const within = (share) => Math.min(1, Math.max(-1, share));
    this.x = this.axes.x ? within(x) : 0;
    this.y = this.axes.y ? within(y) : 0;
    this.puck.style.left = `${50 + 50 * this.x}%`;
    this.puck.style.top = `${50 - 50 * this.y}%`;
    this.show(this.y, this.x);
    this.speak();
  }

  /** Tells a screen reader, once a second at most. */
  speak() {
    const now = performance.now();
    if (now - this.spoken < SPOKEN_EVERY_MS) return;
    this.spoken = now;
    const values = this.values();
    const text = Object.entries(values).map(([name, value]) => `${name} ${value.toFixed(1)}`);
    this.element.setAttribute("aria-valuetext", text.join(", "));
    this.element.setAttribute("aria-valuenow", Object.values(values)[0].toFixed(2));
  }

  listen() {
    const plane = this.element;
    plane.addEventListener("pointerdown", (event) => {
      plane.setPointerCapture(event.pointerId);
      this.point(event);
      event.preventDefault();
      plane.focus({ preventScroll: true });
    });
    plane.addEventListener("pointermove", (event) => this.point(event));
    const leave = (event) => {
      if (event.pointerType !== "mouse" || event.type === "pointerleave") this.isHeld = false;
    };
    for (const kind of ["pointerup", "pointercancel", "pointerleave"]) plane.addEventListener(kind, leave);
    window.addEventListener("keydown", (event) => this.press(event));
    window.addEventListener("keyup", (event) => this.keys.delete(event.key));
    window.addEventListener("blur", () => this.keys.clear());
  }

  /** A mouse need not be pressed; a finger always is. */
  point(event) {
    const box = this.element.getBoundingClientRect();
    const x = (2 * (event.clientX - box.left)) / box.width - 1;
    const y = 1 - (2 * (event.clientY - box.top)) / box.height;
    this.isHeld = true;
    this.moveTo(x, y);
    this.onmove();
  }

  press(event) {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === "Home") {
      this.moveTo(0, 0);
      this.onmove();
    } else if (event.key in ARROWS) {
      event.preventDefault();
      const isFirst = this.keys.size === 0;
      this.keys.add(event.key);
      if (isFirst) this.glide(performance.now());
    }
  }

  /** Moves while arrows are held, at the same speed on every screen. */
  glide(last) {
    requestAnimationFrame((now) => {
      if (!this.keys.size) return;
      const way = (KEY_SPEED * Math.min(100, Math.max(0, now - last))) / 1000;
      let [x, y] = [this.x, this.y];
      for (const key of this.keys) {
        x += way * ARROWS[key][0];
        y += way * ARROWS[key][1];
      }
      this.isHeld = true;
      this.moveTo(x, y);
      this.onmove();
      this.glide(now);
    });
  }
}
