// The room's shape and its fixed words: ends of the scales, parts of the picture, legend of the trace.

import { STYLES } from "./trace.js";
import { nameOf, number, say } from "./words.js";

const WIDE = 2.2; // width over height of pictures that stand above the plane, not beside it

const find = (id) => document.getElementById(id);

function labelAxes({ x, y }) {
  for (const word of document.querySelectorAll(".word")) {
    const axis = { x, y }[word.dataset.axis];
    word.textContent = axis ? axis[`${word.dataset.end}_word`] : "";
  }
}

/** Which part of a picture side by side is what. */
function labelParts(streams) {
  const parts = find("parts");
  parts.hidden = streams.length < 2;
  if (parts.hidden) return;
  for (const stream of streams) {
    const label = document.createElement("span");
    label.textContent = say(`stream_${stream}`);
    parts.append(label);
  }
}

function labelTrace(axes) {
  const legend = find("legend");
  for (const side of ["y", "x"]) {
    if (!axes[side]) continue;
    const name = document.createElement("span");
    name.className = `name ${side}`;
    name.style.color = STYLES[side];
    name.textContent = nameOf(axes[side].name);
    legend.append(name);
  }
}

/** The stand takes the shape of the film as soon as that is known. */
function fitStand(video) {
  if (!video) return;
  const fit = () => {
    const ratio = video.videoWidth / video.videoHeight;
    find("screen").style.setProperty("--ratio", ratio);
    find("room").classList.toggle("wide", ratio > WIDE);
  };
  if (video.videoWidth) fit();
  video.addEventListener("loadedmetadata", fit);
}

export function labelRoom(config, { axes, kind }) {
  const room = find("room");
  const plane = find("plane");
  const isPlane = axes.x && axes.y;
  room.classList.add(isPlane ? "both" : axes.y ? "upward" : "across", kind);
  labelAxes(axes);
  if (isPlane) plane.setAttribute("aria-roledescription", say("plane_role"));
  plane.setAttribute("aria-label", isPlane ? say("plane") : nameOf((axes.y ?? axes.x).name));
  labelParts(config.streams);
  if (config.position) find("title").textContent = say("title_of", { position: config.position, total: config.total });
  if (config.purpose !== "rating") find("title").textContent = say(`title_${config.purpose}`);
  find("strip").hidden = config.feedback !== "trace" || Boolean(config.clip);
  labelTrace(axes);
  find("time").textContent = number(0) + ":" + number(0, 0, 2);
  fitStand(find("video"));
}
