// Where the hand is on the scale: bounded by its ends, open without end, or driven by rate.
//
// Inputs call point, drag, let go, push, nudge, stick and jump in shares of what is seen (-1 to 1,
// right and up positive); views ask where the face is to be drawn; samples ask for values.

const KEY_SPEED = 1.1; // half scales a second while an arrow is held
const MOST = 1e9; // an open scale ends here, so that every number stays finite and exact
const ROOM = 0.78; // share of an open scale's view that the face keeps within
const MEMORY_SECONDS = 8; // for so long an open scale stays wide after the face came back
const ZOOM_PER_SECOND = 5;

const within = (value, most = 1) => Math.min(most, Math.max(-most, value));
const rounded = (value) => Math.round(value * 1e4) / 1e4;

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

/** The hand that a project's scale asks for. */
export function handFor(axes, { scale, rate_seconds: rateSeconds }) {
  if (scale === "unbounded") return new OpenHand(axes);
  return scale === "rate" ? new RateHand(axes, rateSeconds) : new BoundedHand(axes);
}

/** A position between the ends of the scale; what is pointed at is what is given. */
export class BoundedHand {
  constructor(axes) {
    this.kind = "bounded";
    this.axes = axes;
    this.x = 0;
    this.y = 0;
    this.span = 1; // what the view shows of the scale, on each side of the middle
    this.pushed = [0, 0];
    this.isHeld = false; // whether a hand is on a device
    this.pull = null; // deflection of a pointer that drives by rate, for the view
  }

  point(x, y) {
    this.moveTo(x, y);
  }

  drag() {}

  letGo() {
    this.isHeld = false;
  }

  /** Arrows are held in this direction; (0, 0) when they are let go. */
  push(x, y) {
    this.pushed = [x, y];
  }

  nudge(x, y) {
    this.moveTo(this.x + x * this.span, this.y + y * this.span);
  }

  /** A stick's deflection, or null while nobody moves it. */
  stick(deflection) {
    if (deflection) this.moveTo(...deflection);
  }

  /** A share of the whole scale, for the digits of a slider. */
  jump(share) {
    this.moveTo(share, share);
  }

  centre() {
    this.moveTo(0, 0);
  }

  moveTo(x, y) {
    if (this.axes.x) this.x = within(x);
    if (this.axes.y) this.y = within(y);
    this.isHeld = true;
  }

  /** Goes on by so many seconds. */
  step(seconds) {
    const [x, y] = this.pushed;
    if (x || y) this.nudge(KEY_SPEED * seconds * x, KEY_SPEED * seconds * y);
  }

  /** Whether it moves without further events. */
  get isMoving() {
    return this.pushed[0] !== 0 || this.pushed[1] !== 0;
  }

  /** Where the face is drawn, -1 to 1. */
  seen() {
    return [this.x, this.y];
  }

  /** The value of each dimension, in units of its scale. */
  values() {
    const given = {};
    for (const side of ["x", "y"]) {
      const axis = this.axes[side];
      if (axis) given[axis.name] = rounded(this.inUnits(axis, this[side]));
    }
    return given;
  }

  setValues(given) {
    for (const side of ["x", "y"]) {
      const axis = this.axes[side];
      if (axis && Number.isFinite(given[axis.name])) this[side] = this.fromUnits(axis, given[axis.name]);
    }
  }

  inUnits(axis, share) {
    return axis.low + ((share + 1) / 2) * (axis.high - axis.low);
  }

  fromUnits(axis, value) {
    return within((2 * (value - axis.low)) / (axis.high - axis.low) - 1);
  }
}

/** Deflection is velocity: held at full deflection it takes `rateSeconds` from the middle to an end. */
export class RateHand extends BoundedHand {
  constructor(axes, rateSeconds) {
    super(axes);
    this.kind = "rate";
    this.speed = 1 / rateSeconds;
    this.tilt = null;
  }

  point(x, y, isPressed) {
    this.pull = isPressed ? [this.axes.x ? within(x) : 0, this.axes.y ? within(y) : 0] : null;
    this.isHeld = true;
  }

  letGo() {
    super.letGo();
    this.pull = null;
  }

  stick(deflection) {
    this.tilt = deflection;
    if (deflection) this.isHeld = true;
  }

  step(seconds) {
    const way = this.speed * seconds;
    for (const drive of [this.pushed, this.pull, this.tilt]) {
      if (drive && (drive[0] || drive[1])) this.nudge(way * drive[0], way * drive[1]);
    }
  }

  get isMoving() {
    return super.isMoving || this.pull !== null || this.tilt !== null;
  }
}

/** Any finite value: the face is dragged or pushed, and the view zooms so that it stays inside. */
export class OpenHand extends BoundedHand {
  constructor(axes) {
    super(axes);
    this.kind = "unbounded";
    this.tilt = null;
    this.reach = 0; // how far out the face was lately
    this.quiet = 0;
  }

  point() {
    this.isHeld = true;
  }

  drag(x, y) {
    this.nudge(x, y);
  }

  stick(deflection) {
    this.tilt = deflection;
    if (deflection) this.isHeld = true;
  }

  jump() {}

  moveTo(x, y) {
    if (this.axes.x) this.x = within(x, MOST);
    if (this.axes.y) this.y = within(y, MOST);
    this.isHeld = true;
  }

  step(seconds) {
    super.step(seconds);
    if (this.tilt) this.nudge(KEY_SPEED * seconds * this.tilt[0], KEY_SPEED * seconds * this.tilt[1]);
    this.zoom(seconds);
  }

  zoom(seconds) {
    const away = Math.max(Math.abs(this.x), Math.abs(this.y));
    this.quiet = away >= this.reach * 0.6 ? 0 : this.quiet + seconds;
    if (away > this.reach || this.quiet > MEMORY_SECONDS) this.reach = away;
    const wanted = Math.max(1, this.reach / ROOM);
    this.span *= (wanted / this.span) ** Math.min(1, ZOOM_PER_SECOND * seconds);
    // However fast the face goes, it never leaves the view.
    this.span = Math.max(this.span, away / 0.95);
    if (Math.abs(this.span / wanted - 1) < 1e-3) this.span = Math.max(wanted, away / 0.95);
  }

  get isMoving() {
    return super.isMoving || this.tilt !== null || Math.abs(this.span - Math.max(1, this.reach / ROOM)) > 1e-9;
  }

  seen() {
    return [this.x / this.span, this.y / this.span];
  }

  inUnits(axis, value) {
    return value;
  }

  fromUnits(axis, value) {
    return within(value, MOST);
  }

  setValues(given) {
    super.setValues(given);
    this.reach = Math.max(Math.abs(this.x), Math.abs(this.y));
    this.span = Math.max(1, this.reach / ROOM);
  }
}
