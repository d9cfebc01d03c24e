// Requests to our own server that are repeated until there is an answer.

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 8000;
const PATIENCE_MS = 10000;
const MOST_KEEPALIVE = 30000; // browsers let 64 KiB outlive a page, all requests together
const TOO_MANY = 429;
const AGAIN = [408, 425, TOO_MANY];

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const online = () => new Promise((resolve) => addEventListener("online", resolve, { once: true }));

/** An answer that will not get better by asking again. */
export class Refused extends Error {
  constructor(status, error) {
    super(error?.message ?? `status ${status}`);
    this.status = status;
    this.code = error?.code ?? "";
    this.hint = error?.hint ?? "";
    this.missing = error?.missing ?? [];
  }
}

/** Milliseconds that an answer asks to wait; 0 where it does not. */
function askedPause(response) {
  const text = response.headers.get("Retry-After");
  if (!text) return 0;
  const seconds = Number(text);
  const ms = Number.isFinite(seconds) ? 1000 * seconds : Date.parse(text) - Date.now();
  return Math.max(0, ms) || 0;
}

/** Half of the pause for sure, half by chance: many raters do not come back in the same moment. */
const scattered = (pause) => pause / 2 + (Math.random() * pause) / 2;

/** Asks until there is an answer; a refusal is thrown, an absent server is waited for. */
export async function ask(method, path, { csrf, body, onabsent = () => {} } = {}) {
  const headers = { Accept: "application/json", "X-CSRF-Token": csrf ?? "" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const text = body === undefined ? undefined : JSON.stringify(body);
  const keepalive = method === "POST" && (text ?? "").length < MOST_KEEPALIVE;
  const options = { method, headers, body: text, credentials: "same-origin", keepalive };
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
    const asked = await attempt(path, options);
    if (asked.answer !== undefined) return asked.answer;
    if (!asked.isBusy) onabsent();
    if (asked.pause) await wait(asked.pause);
    else await Promise.race([wait(scattered(pause)), online()]);
  }
}

async function attempt(path, options) {
  try {
    const response = await fetch(path, { ...options, signal: AbortSignal.timeout(PATIENCE_MS) });
    if (response.ok) return { answer: await response.json() };
    if (response.status >= 500 || AGAIN.includes(response.status)) {
      return { pause: askedPause(response), isBusy: response.status === TOO_MANY };
    }
    const answer = await response.json().catch(() => ({}));
    throw new Refused(response.status, answer.error);
  } catch (error) {
    if (error instanceof Refused) throw error;
    return { pause: 0, isBusy: false };
  }
}
