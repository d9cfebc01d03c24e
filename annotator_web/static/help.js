// The sheet of keys and ways to move the face, opened by "?" or its button.

import { focusRoom } from "./sheet.js";
import { say } from "./words.js";

const find = (id) => document.getElementById(id);

/** Rows of [keys, text] for what this project allows. */
function rowsOf(config, { isOneDimension, hasSound, mayRewind }) {
  const has = (name) => config.input.includes(name);
  const kind = config.scale;
  return [
    has("pointer") && [[say("key_mouse")], say(`help_pointer_${kind}`)],
    has("touch") && [[say("key_finger")], say(`help_touch_${kind}`)],
    has("keyboard") && [["←", "→", "↑", "↓"], say(`help_arrows_${kind}`)],
    has("keyboard") && [["Shift", "↑"], say("help_slow")],
    has("keyboard") && [[say("key_home")], say("help_home")],
    has("keyboard") && isOneDimension && kind !== "unbounded" && [["1", "…", "9"], say("help_digits")],
    has("wheel") && [[say("key_wheel")], say(isOneDimension ? "help_wheel_one" : "help_wheel")],
    (has("gamepad") || has("joystick")) && [[say("key_stick")], say(`help_stick_${kind === "bounded" ? kind : "rate"}`)],
    [[say("key_space")], say("help_space")],
    [["Esc"], say("help_escape")],
    mayRewind && [["J", "L"], say("help_rewind")],
    mayRewind && [["Shift", "J"], say("help_rewind_long")],
    hasSound && [["M", "+", "−"], say("help_sound")],
    [["?"], say("help_help")],
  ].filter(Boolean);
}

export function buildHelp(config, facts, onopen) {
  const dialog = find("help");
  for (const [keys, text] of rowsOf(config, facts)) {
    const name = document.createElement("dt");
    for (const key of keys) {
      const cap = document.createElement(key === "…" ? "span" : "kbd");
      cap.textContent = key;
      name.append(cap, " ");
    }
    const what = document.createElement("dd");
    what.textContent = text;
    find("help-rows").append(name, what);
  }
  const open = () => {
    if (document.querySelector("dialog[open]")) return;
    onopen();
    dialog.showModal();
  };
  find("ask").addEventListener("click", open);
  find("help-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", focusRoom);
  addEventListener("keydown", (event) => {
    if (event.key !== "?" || event.defaultPrevented) return;
    event.preventDefault();
    if (dialog.open) dialog.close();
    else open();
  });
}
