// The drawn faces that explain the scales.

import { drawFace } from "./face.js";

for (const svg of document.querySelectorAll("svg.figure[data-arousal]")) {
  drawFace(svg)(Number(svg.dataset.arousal), Number(svg.dataset.valence));
}
