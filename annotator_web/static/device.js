// The device check: whether faces can be rated in this browser, and by what.

import { drawFace } from "./face.js";

const LEAST_FRAMES = 10;
const SMOOTH_FRAMES_A_SECOND = 18;
const CLIP_MS = 2000;
const PATIENCE_MS = 8000;
const TONE_HZ = 440;
const TONE_SECONDS = 1.2;
const PAD_MS = 150;

const words = JSON.parse(document.getElementById("checks").dataset.words);
const found = { hand: [], gamepad: null, browser: navigator.userAgent };
const element = (id) => document.getElementById(id);

/** Shows how a check stands; `key` names the words where they are not the state's own. */
function tell(name, state, key = state) {
  const row = element(`check-${name}`);
  row.dataset.state = state;
  row.querySelector(".state").textContent = words[state];
  const say = row.querySelector(".say");
  if (say?.dataset[key]) say.textContent = say.dataset[key];
}

/** Frames that a short clip shows, as the rating page counts them; null where it never plays. */
function countFrames(video) {
  return new Promise((resolve) => {
    let frames = 0;
    let begin = null;
    const end = () => resolve({ frames, seconds: begin ? (performance.now() - begin) / 1000 : 0 });
    const patience = setTimeout(end, PATIENCE_MS);
    const look = (now) => {
      begin ??= now;
      frames += 1;
      video.requestVideoFrameCallback(look);
    };
    video.requestVideoFrameCallback(look);
    video.addEventListener("playing", () => {
      clearTimeout(patience);
      setTimeout(end, CLIP_MS);
    }, { once: true });
    video.play().catch(() => end());
  });
}

async function checkVideo() {
  const video = element("clip");
  if (!("requestVideoFrameCallback" in HTMLVideoElement.prototype)) return ["bad", "frames"];
  video.loop = true;
  const { frames, seconds } = await countFrames(video);
  video.loop = false;
  found.frames = frames;
  found.seconds = Math.round(seconds * 1000) / 1000;
  found.time_source = typeof VideoFrame === "function" ? "VideoFrame" : "requestVideoFrameCallback";
  if (frames < LEAST_FRAMES) return ["bad"];
  return [frames / seconds < SMOOTH_FRAMES_A_SECOND ? "slow" : "good"];
}

const done = (request) => new Promise((resolve, reject) => {
  request.onsuccess = () => resolve(request.result);
  request.onerror = () => reject(request.error);
});

/** Keeps a few numbers, reads them back, and takes them away again. */
async function checkStorage() {
  const name = "mavfer-check";
  const given = Array.from({ length: 60 }, (_, index) => index / 7);
  try {
    const opening = indexedDB.open(name, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore("numbers");
    const database = await done(opening);
    await done(database.transaction("numbers", "readwrite").objectStore("numbers").put(given, 0));
    const kept = await done(database.transaction("numbers").objectStore("numbers").get(0));
    database.close();
    indexedDB.deleteDatabase(name);
    return [JSON.stringify(kept) === JSON.stringify(given) ? "good" : "bad"];
  } catch {
    return ["bad"];
  }
}

function playTone() {
  const audio = new AudioContext();
  const tone = audio.createOscillator();
  const loudness = audio.createGain();
  const end = audio.currentTime + TONE_SECONDS;
  tone.frequency.value = TONE_HZ;
  loudness.gain.setValueAtTime(0, audio.currentTime);
  loudness.gain.linearRampToValueAtTime(0.25, audio.currentTime + 0.1);
  loudness.gain.linearRampToValueAtTime(0, end);
  tone.connect(loudness).connect(audio.destination);
  tone.onended = () => audio.close();
  tone.start();
  tone.stop(end);
}

function watchSound() {
  if (!element("play")) return;
  found.sound = "skipped";
  element("play").addEventListener("click", () => {
    playTone();
    element("heard").hidden = false;
  });
  element("heard").addEventListener("change", (event) => {
    found.sound = event.target.value;
    tell("sound", found.sound === "heard" ? "good" : "free");
  });
}

function light(kind) {
  const lamp = element(`lamp-${kind}`);
  if (!lamp || lamp.classList.contains("lit")) return;
  lamp.classList.add("lit");
  found.hand.push(kind);
  tell("hand", "good");
}

function watchHand() {
  const field = element("try");
  const svg = element("try-face");
  const show = drawFace(svg);
  let place = [0, 0];
  const move = (x, y) => {
    place = [Math.min(1, Math.max(-1, x)), Math.min(1, Math.max(-1, y))];
    show(place[1], place[0]);
    const room = [field.clientWidth - 64, field.clientHeight - 64];
    svg.style.left = `${((place[0] + 1) / 2) * room[0]}px`;
    svg.style.top = `${((1 - place[1]) / 2) * room[1]}px`;
  };
  show(0, 0);
  for (const kind of ["pointermove", "pointerdown"]) {
    field.addEventListener(kind, (event) => {
      light(event.pointerType);
      const box = field.getBoundingClientRect();
      move((2 * (event.clientX - box.left)) / box.width - 1, 1 - (2 * (event.clientY - box.top)) / box.height);
    });
  }
  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
  document.addEventListener("keydown", (event) => {
    const by = arrows[event.key];
    if (!by || event.target.type === "radio") return;
    light("keyboard");
    if (event.target !== field) return;
    event.preventDefault();
    move(place[0] + 0.2 * by[0], place[1] + 0.3 * by[1]);
  });
}

/** Gamepads tell of themselves only when asked, and only after a button was pressed. */
function watchGamepad() {
  if (!element("check-gamepad") || !navigator.getGamepads) return;
  const pad = [...navigator.getGamepads()].find((each) => each?.buttons.some((button) => button.pressed));
  if (!pad) {
    setTimeout(watchGamepad, PAD_MS);
    return;
  }
  found.gamepad = pad.id.slice(0, 200);
  element("pad").textContent = found.gamepad;
  tell("gamepad", "good");
}

async function main() {
  watchSound();
  watchHand();
  watchGamepad();
  for (const [name, check] of [["storage", checkStorage], ["video", checkVideo]]) {
    const [state, key] = await check();
    found[name] = state;
    tell(name, state, key);
  }
  const isFit = found.storage === "good" && found.video !== "bad";
  element("go").disabled = !isFit;
  element("go").hidden = !isFit;
  element("again").hidden = isFit;
  element("form").addEventListener("submit", () => {
    const about = { screen: [screen.width, screen.height], pixel_ratio: devicePixelRatio };
    element("results").value = JSON.stringify({ ...found, ...about });
  });
}

main();
