// A drawn face that shows an arousal and a valence, each from -1 to 1. Our own drawing.
//
// Valence bends the mouth and the brows and colors the skin from blue to amber. Arousal opens the
// eyes from asleep to staring, opens the mouth, and lets rays spring from the head; so both can be
// read without color too.

const NAMESPACE = "http://www.w3.org/2000/svg";
const RAYS = 10;
const HEAD = 38;

function add(parent, name, attributes) {
  const element = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  parent.append(element);
  return element;
}

function mix(from, to, share) {
  return from.map((value, index) => Math.round(value + (to[index] - value) * share));
}

const BLUE = [122, 168, 246];
const CREAM = [250, 234, 208];
const AMBER = [255, 187, 84];

function skin(valence) {
  const color = valence < 0 ? mix(CREAM, BLUE, -valence) : mix(CREAM, AMBER, valence);
  return `rgb(${color.join(",")})`;
}

/** The rays: none at rest, long when excited. */
function drawRays(rays) {
  return (arousal) => {
    const share = Math.max(0, arousal - 0.1) / 0.9;
    let path = "";
    for (let index = 0; share > 0 && index < RAYS; index += 1) {
      const angle = (2 * Math.PI * (index + 0.5)) / RAYS;
      const [x, y] = [Math.sin(angle), -Math.cos(angle)];
      const [near, far] = [HEAD + 4, HEAD + 4 + (index % 2 ? 7 : 11) * share];
      path += `M${(50 + near * x).toFixed(1)} ${(50 + near * y).toFixed(1)}L${(50 + far * x).toFixed(1)} ${(50 + far * y).toFixed(1)}`;
    }
    rays.setAttribute("d", path);
  };
}

/** One eye: white, pupil and lid; `x` is its middle. */
function drawEye(svg, x) {
  const white = add(svg, "ellipse", { cx: x, cy: 45, rx: 7, class: "white" });
  const pupil = add(svg, "ellipse", { cx: x, cy: 45.4, class: "ink" });
  const lid = add(svg, "path", { class: "line thin" });
  return (arousal) => {
    const open = 8.8 * Math.max(0, (arousal + 0.9) / 1.9) ** 0.62;
    white.setAttribute("ry", open.toFixed(2));
    pupil.setAttribute("rx", (open > 0.8 ? 3.7 - 0.7 * Math.max(0, arousal) : 0).toFixed(2));
    pupil.setAttribute("ry", Math.min(3.7, open * 0.86).toFixed(2));
    // A closed lid hangs, an open one is vaulted.
    const awake = Math.min(1, open / 4);
    const vault = 5 - awake * (5 + 2.1 * open);
    const side = 44.5;
    lid.setAttribute("d", `M${x - 7.6} ${side}Q${x} ${(side + vault).toFixed(2)} ${x + 7.6} ${side}`);
  };
}

/** Inner ends: up and together in grief, down in anger; all of it high in joy and surprise. */
function drawBrows(svg) {
  const brows = [-1, 1].map((side) => [side, add(svg, "path", { class: "line" })]);
  return (arousal, valence) => {
    const height = 31 - 5 * arousal;
    const inner = valence < 0 ? valence * (arousal * -6 + 1.5 * (1 - Math.abs(arousal))) : 0;
    const vault = 3 + Math.max(0, arousal) * 1.4;
    for (const [side, brow] of brows) {
      const [near, far] = [50 + side * 8, 50 + side * 23];
      brow.setAttribute("d", `M${far} ${(height + 1).toFixed(2)}Q${50 + side * 15.5} ${(height - vault).toFixed(2)} ${near} ${(height + inner).toFixed(2)}`);
    }
  };
}

function drawMouth(svg) {
  const mouth = add(svg, "path", { class: "mouth" });
  return (arousal, valence) => {
    const bend = 13 * valence;
    const open = 13 * Math.max(0, arousal + 0.15) ** 1.3;
    const half = 12.5 + 4.5 * Math.abs(valence);
    const y = 67 - bend * 0.4;
    const [upper, lower] = [y + bend - open * 0.35, y + bend + open];
    mouth.setAttribute(
      "d",
      `M${50 - half} ${y.toFixed(2)}Q50 ${upper.toFixed(2)} ${50 + half} ${y.toFixed(2)}Q50 ${lower.toFixed(2)} ${50 - half} ${y.toFixed(2)}Z`,
    );
  };
}

/** Draws a face into an <svg viewBox="0 0 100 100">; returns show(arousal, valence). */
export function drawFace(svg) {
  const rays = drawRays(add(svg, "path", { class: "ray" }));
  const head = add(svg, "circle", { cx: 50, cy: 50, r: HEAD, class: "head" });
  const cheeks = [27, 73].map((x) => add(svg, "circle", { cx: x, cy: 58, r: 5.5, class: "cheek" }));
  const eyes = [35.5, 64.5].map((x) => drawEye(svg, x));
  const brows = drawBrows(svg);
  const mouth = drawMouth(svg);

  return function show(arousal, valence) {
    rays(arousal);
    head.setAttribute("fill", skin(valence));
    for (const cheek of cheeks) cheek.setAttribute("opacity", (0.5 * Math.max(0, valence)).toFixed(2));
    for (const eye of eyes) eye(arousal);
    brows(arousal, valence);
    mouth(arousal, valence);
  };
}
