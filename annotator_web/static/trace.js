// The last seconds of what was given, as a quiet line: arousal drawn through, valence dotted.

const SECONDS = 10;
const KEPT = 1024; // more than are given in so many seconds at 60 a second
const DOT_EVERY_SECONDS = 0.12;
const SHARPEST = 2; // screen pixels a pixel, at most; finer costs more than it shows
const PAD = 7;
export const STYLES = { y: "#ffc879", x: "#8fc0ff" };

export class Trace {
  constructor(canvas, hand) {
    this.canvas = canvas;
    this.hand = hand;
    this.pen = canvas.getContext("2d");
    this.times = new Float64Array(KEPT);
    this.places = { x: new Float64Array(KEPT), y: new Float64Array(KEPT) };
    this.count = 0;
    this.time = 0; // seconds that were played
    new ResizeObserver(() => this.measure()).observe(canvas);
    this.measure();
  }

  measure() {
    const sharpness = Math.min(SHARPEST, devicePixelRatio);
    this.width = this.canvas.clientWidth;
    this.height = this.canvas.clientHeight;
    this.canvas.width = Math.round(this.width * sharpness);
    this.canvas.height = Math.round(this.height * sharpness);
    this.pen.setTransform(sharpness, 0, 0, sharpness, 0, 0);
    this.draw();
  }

  /** Goes on by so many seconds with the hand where it is. */
  add(seconds) {
    this.time += seconds;
    const slot = this.count % KEPT;
    this.times[slot] = this.time;
    this.places.x[slot] = this.hand.x;
    this.places.y[slot] = this.hand.y;
    this.count += 1;
  }

  /** What was given before a jump belongs to another place of the film. */
  clear() {
    this.count = 0;
    this.draw();
  }

  draw() {
    this.pen.clearRect(0, 0, this.width, this.height);
    this.pen.fillStyle = "rgb(255 255 255 / 14%)";
    this.pen.fillRect(0, this.height / 2, this.width, 1);
    if (this.hand.axes.y) this.drawLine();
    if (this.hand.axes.x) this.drawDots();
  }

  across(time) {
    return this.width - 4 - ((this.time - time) / SECONDS) * this.width;
  }

  up(share) {
    return this.height / 2 - (share / this.hand.span) * (this.height / 2 - PAD);
  }

  /** Numbers of the slots still on the canvas, oldest first. */
  *slots() {
    for (let index = Math.max(0, this.count - KEPT); index < this.count; index += 1) {
      const slot = index % KEPT;
      if (this.times[slot] >= this.time - SECONDS) yield slot;
    }
  }

  drawLine() {
    const { pen } = this;
    pen.strokeStyle = STYLES.y;
    pen.lineWidth = 2;
    pen.lineJoin = "round";
    pen.beginPath();
    for (const slot of this.slots()) pen.lineTo(this.across(this.times[slot]), this.up(this.places.y[slot]));
    pen.stroke();
  }

  /** Dots stand still on the film, so that they do not crawl. */
  drawDots() {
    const { pen } = this;
    pen.fillStyle = STYLES.x;
    let last = null;
    for (const slot of this.slots()) {
      const turn = Math.floor(this.times[slot] / DOT_EVERY_SECONDS);
      if (turn === last) continue;
      last = turn;
      pen.fillRect(this.across(this.times[slot]) - 1.75, this.up(this.places.x[slot]) - 1.75, 3.5, 3.5);
    }
  }
}
