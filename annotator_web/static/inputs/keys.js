// Keys that move the hand: arrows, Home, and the digits of a slider.

const ARROWS = { ArrowUp: [0, 1], ArrowDown: [0, -1], ArrowLeft: [-1, 0], ArrowRight: [1, 0] };
const SLOW = 0.3;
const DIGITS = /^[1-9]$/;

export class KeyInput {
  /** @param isOneDimension whether the digits 1 to 9 jump from end to end */
  constructor(hand, isOneDimension, onuse) {
    this.hand = hand;
    this.isOneDimension = isOneDimension;
    this.onuse = onuse;
    this.held = new Set();
    addEventListener("keydown", (event) => this.press(event));
    addEventListener("keyup", (event) => this.release(event));
    addEventListener("blur", () => this.letGo());
  }

  press(event) {
    const isTaken = event.defaultPrevented || event.altKey || event.ctrlKey || event.metaKey;
    if (isTaken || event.target.closest?.("dialog")) return;
    if (event.key in ARROWS) {
      this.held.add(event.key);
      this.push(event.shiftKey);
    } else if (event.key === "Shift") {
      this.push(true);
      return;
    } else if (event.key === "Home") this.hand.centre();
    else if (this.isOneDimension && DIGITS.test(event.key)) this.hand.jump((Number(event.key) - 5) / 4);
    else return;
    event.preventDefault();
    this.onuse("keyboard");
  }

  release(event) {
    if (event.key !== "Shift" && !this.held.delete(event.key)) return;
    this.push(event.key === "Shift" ? false : event.shiftKey);
  }

  letGo() {
    this.held.clear();
    this.hand.push(0, 0);
  }

  push(isSlow) {
    let [x, y] = [0, 0];
    for (const key of this.held) {
      x += ARROWS[key][0];
      y += ARROWS[key][1];
    }
    // A slider listens to both pairs of arrows, as sliders do.
    if (this.isOneDimension) x = y = Math.min(1, Math.max(-1, x + y));
    const speed = isSlow ? SLOW : 1;
    this.hand.push(speed * x, speed * y);
  }
}
