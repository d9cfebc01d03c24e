// Mouse, pen and finger on the plane or the slider. A mouse need not be pressed; a finger always is.

export class PointerInput {
  /**
   * @param view what is pointed at; it tells the place of a pointer, -1 to 1 on both axes
   * @param allows tells whether "pointer" or "touch" may be used
   * @param onuse hears which device moved the hand
   */
  constructor(view, hand, allows, onuse) {
    const { element } = view;
    this.view = view;
    this.element = element;
    this.hand = hand;
    this.onuse = onuse;
    this.last = null; // where the pressed pointer was, in shares of the view
    const only = (listener) => (event) => allows(this.kindOf(event)) && listener(event);
    element.addEventListener("pointerdown", only((event) => this.press(event)));
    element.addEventListener("pointermove", only((event) => this.move(event)));
    for (const kind of ["pointerup", "pointercancel", "lostpointercapture"]) {
      element.addEventListener(kind, only((event) => this.release(event)));
    }
    element.addEventListener("pointerleave", only((event) => this.leave(event)));
    element.addEventListener("contextmenu", (event) => event.preventDefault());
  }

  kindOf(event) {
    return event.pointerType === "touch" ? "touch" : "pointer";
  }

  press(event) {
    this.element.setPointerCapture(event.pointerId);
    this.last = this.view.placeOf(event);
    this.hand.point(...this.last, true);
    this.onuse(this.kindOf(event));
    event.preventDefault();
    this.element.focus({ preventScroll: true });
  }

  /** Events come once a frame with the newest place; those in between were never painted. */
  move(event) {
    const [x, y] = this.view.placeOf(event);
    this.hand.point(x, y, this.last !== null);
    if (this.last) {
      this.hand.drag(x - this.last[0], y - this.last[1]);
      this.last = [x, y];
    }
    this.onuse(this.kindOf(event));
  }

  release(event) {
    if (!this.last) return;
    this.last = null;
    // A mouse that is let go still lies on the plane; a finger is gone.
    if (event.pointerType === "mouse" && event.type === "pointerup") this.hand.point(...this.view.placeOf(event), false);
    else this.hand.letGo();
  }

  leave() {
    if (!this.last) this.hand.letGo();
  }
}
