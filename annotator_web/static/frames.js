// The times of a video's frames: which frame a stamp belongs to, and where to seek to see a frame.

/** Index of the frame whose time is nearest to `seconds`; `times` ascend. */
export function nearestFrame(times, seconds) {
  let low = 0;
  let high = times.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (times[middle] < seconds) low = middle + 1;
    else high = middle;
  }
  const before = low - 1;
  return before >= 0 && seconds - times[before] < times[low] - seconds ? before : low;
}

/** The middle of the time for which a frame is shown: no rounding there leads to its neighbours. */
export function middleOf(times, frame) {
  const last = times.length - 1;
  if (last === 0) return times[0];
  if (frame < last) return (times[frame] + times[frame + 1]) / 2;
  return times[last] + (times[last] - times[last - 1]) / 4;
}

/** Frames that were passed by between two samples of one pass. */
export function passedBy(before, frame) {
  return before === null || frame <= before ? 0 : frame - before - 1;
}
