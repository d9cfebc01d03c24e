// One holder of a name among the tabs of this browser, also where there are no Web Locks.

const PREFIX = "mavfer-lock-";
const LEASE_MS = 4000;
const RENEW_MS = 1000;
const SETTLE_MS = 60; // two tabs that write at once see each other's mark by then

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** Holds `name`, waiting at most `patience` ms; a function that lets go, or null where it is held. */
export function hold(name, patience = 0) {
  return navigator.locks ? holdLock(name, patience) : holdLease(name, patience);
}

/** Whether somebody waits for `name`. */
export async function isWanted(name) {
  if (!navigator.locks) return false;
  const { pending } = await navigator.locks.query();
  return pending.some((lock) => lock.name === name);
}

function holdLock(name, patience) {
  const options = patience ? { signal: AbortSignal.timeout(patience) } : { ifAvailable: true };
  return new Promise((resolve) => {
    navigator.locks
      .request(name, options, (lock) => {
        if (!lock) return resolve(null);
        return new Promise((release) => resolve(release));
      })
      .catch(() => resolve(null));
  });
}

/** The same by a mark in localStorage that is renewed, for pages over plain HTTP. */
async function holdLease(name, patience) {
  const key = PREFIX + name;
  const mine = crypto.getRandomValues(new Uint32Array(2)).join("-");
  const end = performance.now() + (patience ? Math.max(patience, LEASE_MS + RENEW_MS) : 0);
  try {
    while (!(await take(key, mine))) {
      if (performance.now() >= end) return null;
      await wait(RENEW_MS / 4);
    }
  } catch {
    return () => {}; // no localStorage: the server's numbers keep order by themselves
  }
  const timer = setInterval(() => write(key, mine), RENEW_MS);
  const release = () => {
    clearInterval(timer);
    if (read(key)?.holder === mine) localStorage.removeItem(key);
  };
  addEventListener("pagehide", release, { once: true });
  return release;
}

async function take(key, mine) {
  const held = read(key);
  if (held && held.holder !== mine && held.until > Date.now()) return false;
  write(key, mine);
  await wait(SETTLE_MS);
  return read(key)?.holder === mine;
}

function read(key) {
  return JSON.parse(localStorage.getItem(key) ?? "null");
}

function write(key, mine) {
  localStorage.setItem(key, JSON.stringify({ holder: mine, until: Date.now() + LEASE_MS }));
}
