// Marks and numbers of an open scale, at round values however far it is zoomed out.

import { number } from "./words.js";

const MARKS = 7; // on each axis at most
const ROUND = [1, 2, 5, 10];
const EDGE = { plane: 0.94, slider: 0.74 }; // shares of the view that numbers keep to, free of figures

/** The smallest round step of which at most three fit on each side. */
export function stepFor(span) {
  const rough = span / 3.2;
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * ROUND.find((factor) => factor * power >= rough);
}

function textOf(value, step) {
  const size = Math.abs(value);
  if (size >= 1e6) return `${value < 0 ? "−" : ""}${number(size / 10 ** Math.floor(Math.log10(size)), 0)}e${Math.floor(Math.log10(size))}`;
  return number(value, step < 1 ? 1 : 0);
}

export class Ruler {
  constructor(element, hand) {
    this.element = element;
    this.hand = hand;
    this.step = null;
    this.edge = hand.axes.x && hand.axes.y ? EDGE.plane : EDGE.slider;
    this.marks = ["x", "y"].filter((side) => hand.axes[side]).flatMap((side) => this.make(side));
  }

  make(side) {
    return Array.from({ length: MARKS }, (_, index) => {
      const mark = document.createElement("span");
      mark.className = `notch ${side}`;
      mark.setAttribute("aria-hidden", "true");
      this.element.append(mark);
      return { mark, side, count: index - (MARKS - 1) / 2 };
    });
  }

  /** Puts the marks where they belong in a view of this size. */
  draw(width, height) {
    const { span } = this.hand;
    const step = stepFor(span);
    const size = { x: width, y: height };
    for (const { mark, side, count } of this.marks) {
      const share = (count * step) / span;
      if (step !== this.step) mark.textContent = textOf(count * step, step);
      mark.hidden = count === 0 || Math.abs(share) > this.edge;
      const way = (share * size[side]) / 2;
      mark.style.transform = side === "x" ? `translate(${way.toFixed(1)}px, 0)` : `translate(0, ${(-way).toFixed(1)}px)`;
    }
    this.step = step;
  }
}
