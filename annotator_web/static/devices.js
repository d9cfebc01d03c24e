// All that may move the hand, as the project allows it; which of them did is kept with the take.

import { GamepadInput } from "./inputs/gamepad.js";
import { KeyInput } from "./inputs/keys.js";
import { PointerInput } from "./inputs/pointer.js";
import { GamepadSetup } from "./inputs/setup.js";
import { WheelInput } from "./inputs/wheel.js";

export class Devices {
  /** @param actions toggle() and pause() */
  constructor(config, hand, view, actions) {
    this.used = new Set();
    this.hand = hand;
    const allowed = new Set(config.input);
    const isOneDimension = !(hand.axes.x && hand.axes.y);
    const use = (device) => this.used.add(device);
    new PointerInput(view, hand, (kind) => allowed.has(kind), use);
    if (allowed.has("keyboard")) new KeyInput(hand, isOneDimension, use);
    if (allowed.has("wheel")) new WheelInput(document.getElementById("room"), hand, isOneDimension, use);
    const hasSticks = allowed.has("gamepad") || allowed.has("joystick");
    this.pad = hasSticks ? new GamepadInput(hand, use, actions.toggle) : null;
    this.setup = hasSticks ? new GamepadSetup(this.pad, actions.pause) : null;
  }

  /** Asks the devices that must be asked, and goes on by so many seconds. */
  step(now, seconds) {
    if (this.setup?.isOpen) this.setup.poll(now);
    else this.pad?.poll();
    this.hand.step(seconds);
  }

  /** What the take says of the browser and its devices when it begins. */
  static document(clip) {
    return {
      device: matchMedia("(pointer: coarse)").matches ? "touch" : "pointer",
      time_source: clip.timeSource,
      browser: navigator.userAgent.slice(0, 400),
      screen: [screen.width, screen.height],
      pixel_ratio: devicePixelRatio,
    };
  }

  /** What is known when it ends. */
  documentAtEnd(clip, refreshHz) {
    return {
      devices_used: [...this.used],
      gamepad: this.used.has("gamepad") || this.used.has("joystick") ? this.pad.document() : null,
      dropped: clip.dropped,
      refresh_hz: refreshHz,
    };
  }
}
