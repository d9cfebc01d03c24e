// Sticks of gamepads and joysticks, which can only be asked, once a frame.

const DEFAULT_DEAD_ZONE = 0.08;
const DEAD_ZONES = [0.05, 0.1];
const HELD = 0.15; // a stick this far out is in a hand, however still
const STIRRED = 0.005; // less from frame to frame is a stick that rests askew
const LEAST_REACH = 0.3; // of an axis that was circled; less is no stick

export const NEUTRAL = { axes: [0, 1], centre: [0, 0], low: [-1, -1], high: [1, 1], dead_zone: DEFAULT_DEAD_ZONE };

const storageKey = (id) => `mavfer-gamepad-${id}`;

/** Connected devices that have a stick. */
export function connected() {
  if (!navigator.getGamepads) return [];
  return [...navigator.getGamepads()].filter((pad) => pad && pad.connected !== false && pad.axes.length >= 2);
}

/** How a device was set up on this browser, or null. */
export function profileOf(id) {
  try {
    return JSON.parse(localStorage.getItem(storageKey(id)));
  } catch {
    return null;
  }
}

export function keepProfile(id, profile) {
  localStorage.setItem(storageKey(id), JSON.stringify(profile));
}

/** One axis from -1 to 1, its rest at 0 and its ends at the ends, whatever the device says. */
function straightened(raw, centre, low, high) {
  const reach = raw < centre ? centre - low : high - centre;
  return Math.min(1, Math.max(-1, (raw - centre) / Math.max(reach, LEAST_REACH)));
}

/**
 * Deflection (right, up) in a square: within the dead zone 0, beyond it growing from 0; a stick that
 * only reaches a circle still gets into the corners.
 */
export function deflectionOf(axes, profile) {
  const [x, down] = profile.axes.map((index, side) =>
    straightened(axes[index] ?? 0, profile.centre[side], profile.low[side], profile.high[side]),
  );
  const length = Math.hypot(x, down);
  if (length <= profile.dead_zone) return [0, 0];
  const live = Math.min(1, (length - profile.dead_zone) / (1 - profile.dead_zone));
  const corner = Math.max(Math.abs(x), Math.abs(down));
  return [(live * x) / corner, (-live * down) / corner];
}

/** What circling and resting showed of a stick. */
export function profileFrom(axes, rest, low, high) {
  const centre = axes.map((_, side) => mean(rest.map((place) => place[side])));
  const shake = Math.max(...rest.flatMap((place) => place.map((value, side) => Math.abs(value - centre[side]))));
  const dead_zone = Math.min(DEAD_ZONES[1], Math.max(DEAD_ZONES[0], 3 * shake));
  const round = (value) => Math.round(value * 1e4) / 1e4;
  return { axes, centre: centre.map(round), low: low.map(round), high: high.map(round), dead_zone: round(dead_zone) };
}

function mean(values) {
  return values.reduce((sum, value) => sum + value, 0) / Math.max(1, values.length);
}

export class GamepadInput {
  constructor(hand, onuse, onbutton) {
    this.hand = hand;
    this.onuse = onuse;
    this.onbutton = onbutton;
    this.id = null;
    this.profile = NEUTRAL;
    this.last = [0, 0];
    this.isPressed = false;
    const first = connected()[0];
    if (first) this.choose(first.id);
    addEventListener("gamepadconnected", (event) => this.id ?? this.choose(event.gamepad.id));
  }

  choose(id) {
    this.id = id;
    this.profile = profileOf(id) ?? NEUTRAL;
  }

  /** Asks the chosen device, once a frame. */
  poll() {
    const pad = connected().find((one) => one.id === this.id);
    if (!pad) return;
    const deflection = deflectionOf(pad.axes, this.profile);
    const away = Math.hypot(...deflection);
    const isStirred = Math.hypot(deflection[0] - this.last[0], deflection[1] - this.last[1]) > STIRRED;
    // A stick that nobody touches must not hold what the mouse moves; its way home counts.
    if (away > HELD || isStirred) {
      this.last = deflection;
      this.hand.stick(away > 0 || this.hand.kind === "bounded" ? deflection : null);
      this.onuse(pad.mapping === "standard" ? "gamepad" : "joystick");
    }
    const isPressed = pad.buttons.length > 0 && pad.buttons[0].pressed;
    if (isPressed && !this.isPressed) this.onbutton();
    this.isPressed = isPressed;
  }

  /** What the take says of the device. */
  document() {
    if (!this.id) return null;
    const { centre, dead_zone } = this.profile;
    return { id: this.id.slice(0, 120), centre, dead_zone };
  }
}
