// The wheel: upward on what runs upward, with Shift (or tilted) on what runs across.

const SHARE_A_PIXEL = 1 / 2000; // a notch of 100 pixels is a twentieth of the half scale
const PIXELS = [1, 33, 400]; // of a pixel, a line, a page

export class WheelInput {
  constructor(element, hand, isOneDimension, onuse) {
    const listener = (event) => {
      if (event.ctrlKey || event.target.closest("dialog, [data-scrolls]")) return;
      const scale = SHARE_A_PIXEL * PIXELS[event.deltaMode];
      let [x, y] = [event.deltaX * scale, -event.deltaY * scale];
      if (isOneDimension) x = y = y || x;
      else if (event.shiftKey) [x, y] = [x || y, 0];
      hand.nudge(x, y);
      onuse("wheel");
      event.preventDefault();
    };
    element.addEventListener("wheel", listener, { passive: false });
  }
}
