// A drawn face that shows an arousal and a valence, each from -1 to 1. Our own drawing.

const NAMESPACE = "http://www.w3.org/2000/svg";

function add(parent, name, attributes) {
  const element = document.createElementNS(NAMESPACE, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  parent.append(element);
  return element;
}

function mix(from, to, share) {
  return from.map((value, index) => Math.round(value + (to[index] - value) * share));
}

const BLUE = [142, 184, 255];
const CREAM = [250, 234, 208];
const AMBER = [255, 190, 92];

function skin(valence) {
  const color = valence < 0 ? mix(CREAM, BLUE, -valence) : mix(CREAM, AMBER, valence);
  return `rgb(${color.join(",")})`;
}

/** Draws a face into an <svg viewBox="0 0 100 100">; returns show(arousal, valence). */
export function drawFace(svg) {
  const head = add(svg, "circle", { cx: 50, cy: 50, r: 46 });
  const eyes = [35, 65].map((x) => add(svg, "ellipse", { cx: x, cy: 44, rx: 5.2, class: "ink" }));
  const brows = [-1, 1].map(() => add(svg, "path", { class: "line" }));
  const mouth = add(svg, "path", { class: "mouth" });

  return function show(arousal, valence) {
    head.setAttribute("fill", skin(valence));
    const awake = (arousal + 1) / 2;
    for (const eye of eyes) eye.setAttribute("ry", (1.6 + 7.4 * awake).toFixed(2));
    // Inner ends of the brows: up and together in grief, down in anger, high in joy and surprise.
    const height = 31 - 7 * arousal;
    const inner = valence < 0 ? valence * arousal * -7 : 0;
    brows.forEach((brow, index) => {
      const side = index === 0 ? -1 : 1;
      const [near, far] = [50 + side * 8, 50 + side * 24];
      const middle = height - 2.5 - Math.max(0, arousal) * 1.5;
      brow.setAttribute("d", `M${far} ${height + 1}Q${50 + side * 16} ${middle} ${near} ${height + inner}`);
    });
    const bend = 15 * valence;
    const open = 2 + 15 * Math.max(0, arousal) ** 1.3;
    const [left, right, y] = [50 - 17 - 3 * Math.abs(valence), 50 + 17 + 3 * Math.abs(valence), 67 - bend * 0.35];
    const upper = y + bend - open * 0.45;
    const lower = y + bend + open * 0.9;
    mouth.setAttribute("d", `M${left} ${y}Q50 ${upper} ${right} ${y}Q50 ${lower} ${left} ${y}Z`);
  };
}
