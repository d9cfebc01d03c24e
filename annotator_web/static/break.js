// A calm clock; the break can be ended at any moment.

const clock = document.getElementById("clock");
const gone = document.getElementById("gone");
const left = document.getElementById("left");
const text = document.getElementById("text");
const total = Number(clock.dataset.seconds);
const begin = performance.now();

function show() {
  const seconds = Math.max(0, Math.ceil(total - (performance.now() - begin) / 1000));
  left.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  gone.setAttribute("stroke-dashoffset", String(100 * (1 - seconds / total)));
  if (seconds > 0) {
    setTimeout(show, 1000);
    return;
  }
  clock.hidden = true;
  text.textContent = text.dataset.over;
}

clock.hidden = false;
show();
