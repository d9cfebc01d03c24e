// The words of the page's language, and numbers as people of that language write them.

let words = {};
let language = "en";
const formats = new Map();

export function setLanguage(given, code) {
  words = given;
  language = code;
}

/** The text under "room.KEY", its {places} filled; numbers among them as people write them. */
export function say(key, places = {}) {
  const text = words[`room.${key}`] ?? key;
  return text.replace(/\{(\w+)\}/g, (all, name) => {
    const value = places[name];
    return value === undefined ? all : typeof value === "number" ? number(value) : value;
  });
}

/** Whether there is a text under "room.KEY". */
export const has = (key) => `room.${key}` in words;

/** Name of a dimension, where the catalogue has one for it. */
export function nameOf(dimension) {
  return words[`dimension.${dimension}`] ?? dimension;
}

export function number(value, digits = 0, whole = 1) {
  const key = `${digits}/${whole}`;
  if (!formats.has(key)) {
    const options = { minimumFractionDigits: digits, maximumFractionDigits: digits, minimumIntegerDigits: whole };
    formats.set(key, new Intl.NumberFormat(language, options));
  }
  return formats.get(key).format(value);
}

/** 75 becomes 1:15. */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds + 1e-6));
  return `${number(Math.floor(whole / 60))}:${number(whole % 60, 0, 2)}`;
}
