// The plane on which the rater sees the face: arousal upward, valence to the right, in every language.

import { drawFace } from "./face.js";
import { Ruler } from "./ruler.js";
import { nameOf, number } from "./words.js";

const SPOKEN_EVERY_MS = 1000;
const SAME_MIEN = 0.01; // of the half scale; nobody sees less in a face
const CORNERS = { ne: [1, 1], nw: [1, -1], se: [-1, 1], sw: [-1, -1] };

export class Plane {
  /**
   * @param element the plane, with .puck in it, and .hint in its corners
   * @param hand what is shown
   */
  constructor(element, hand) {
    this.element = element;
    this.hand = hand;
    this.axes = hand.axes;
    this.puck = element.querySelector(".puck");
    this.string = element.querySelector(".string");
    this.face = drawFace(this.puck.querySelector("svg"));
    this.ruler = hand.kind === "unbounded" ? new Ruler(element, hand) : null;
    this.drawn = [NaN, NaN, NaN];
    this.mien = [NaN, NaN]; // what the face shows
    this.spoken = -Infinity;
    this.said = "";
    this.drawHints();
    new ResizeObserver(() => this.measure()).observe(element);
    this.measure();
    this.describe();
  }

  drawHints() {
    for (const [corner, [arousal, valence]] of Object.entries(CORNERS)) {
      drawFace(this.element.querySelector(`.hint.${corner} svg`))(0.85 * arousal, 0.85 * valence);
    }
  }

  /** Pixels at each end that the face's middle does not reach, across and upward. */
  inset() {
    return [0, 0];
  }

  measure() {
    const [across, upward] = this.inset();
    this.width = this.element.clientWidth - 2 * across;
    this.height = this.element.clientHeight - 2 * upward;
    this.drawn = [NaN, NaN, NaN];
    this.draw();
  }

  /** What a screen reader is told once. */
  describe() {
    const axis = this.axes.y ?? this.axes.x;
    if (this.hand.kind === "unbounded") return;
    this.element.setAttribute("aria-valuemin", axis.low);
    this.element.setAttribute("aria-valuemax", axis.high);
  }

  /** The place of the view, -1 to 1, that a pointer is at. */
  placeOf({ clientX, clientY }) {
    const box = this.element.getBoundingClientRect();
    const [x, y] = [clientX - box.left - box.width / 2, box.top + box.height / 2 - clientY];
    return [(2 * x) / this.width, (2 * y) / this.height];
  }

  /** Puts the face where the hand is; cheap where nothing moved. */
  draw() {
    const [x, y] = this.hand.seen();
    this.drawString();
    if (x === this.drawn[0] && y === this.drawn[1] && this.hand.span === this.drawn[2]) return;
    this.drawn = [x, y, this.hand.span];
    this.puck.style.transform = `translate(${((x * this.width) / 2).toFixed(2)}px, ${((-y * this.height) / 2).toFixed(2)}px)`;
    if (!(Math.hypot(x - this.mien[0], y - this.mien[1]) < SAME_MIEN)) {
      this.mien = [x, y];
      this.face(y, x);
    }
    this.ruler?.draw(this.width, this.height);
  }

  /** The string on which a pointer pulls that drives by rate. */
  drawString() {
    const { pull } = this.hand;
    this.string.hidden = pull === null;
    if (!pull) return;
    const [x, y] = [(pull[0] * this.width) / 2, (-pull[1] * this.height) / 2];
    this.string.style.width = `${Math.hypot(x, y).toFixed(1)}px`;
    this.string.style.transform = `rotate(${Math.atan2(y, x).toFixed(4)}rad)`;
  }

  /** Tells a screen reader, once a second at most. */
  speak(now) {
    if (now - this.spoken < SPOKEN_EVERY_MS) return;
    const values = this.hand.values();
    const key = JSON.stringify(values);
    if (key === this.said) return;
    this.spoken = now;
    this.said = key;
    const text = Object.entries(values).map(([name, value]) => `${nameOf(name)} ${number(value, 1)}`);
    const value = values[(this.axes.y ?? this.axes.x).name];
    this.element.setAttribute("aria-valuetext", text.join(", "));
    this.element.setAttribute("aria-valuenow", value.toFixed(2));
    if (this.hand.kind !== "unbounded") return;
    const end = Math.max(1, Math.ceil(Math.abs(value)));
    this.element.setAttribute("aria-valuemin", -end);
    this.element.setAttribute("aria-valuemax", end);
  }
}
