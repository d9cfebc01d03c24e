// One dimension: a tall slider for what runs upward, a wide one for what runs across.

import { drawFace } from "./face.js";
import { Plane } from "./plane.js";

const ENDS = { low: -0.9, high: 0.9 };

export class Slider extends Plane {
  drawHints() {
    const isUpward = Boolean(this.axes.y);
    this.element.setAttribute("aria-orientation", isUpward ? "vertical" : "horizontal");
    this.element.removeAttribute("aria-roledescription");
    this.fill = this.element.querySelector(".fill");
    for (const [end, share] of Object.entries(ENDS)) {
      const hint = this.element.querySelector(`.hint.${end} svg`);
      drawFace(hint)(isUpward ? share : 0, isUpward ? 0 : share);
    }
  }

  /** The whole face stays on the slider. */
  inset() {
    const half = this.puck.offsetWidth / 2;
    return this.axes.y ? [0, half] : [half, 0];
  }

  /** The fill runs from the middle to the face. */
  draw() {
    super.draw();
    const [x, y] = this.drawn;
    if (!this.fill || this.filled === this.drawn) return;
    this.filled = this.drawn;
    const [length, share] = this.axes.y ? [this.height, -y] : [this.width, x];
    this.fill.style.transform = `${this.axes.y ? "scaleY" : "scaleX"}(${((length / 2) * share).toFixed(2)})`;
  }
}
