// Samples on their way to the server: into numbered chunks, into the outbox, and out once answered.

const CHUNK_MS = 1000;
const KEEP_MS = 100; // how often the chunk that is being filled is written to the outbox
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 8000;
const PATIENCE_MS = 10000;
const AGAIN = [408, 429];

const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** An answer that will not get better by asking again. */
export class Refused extends Error {
  constructor(status, error) {
    super(error?.message ?? `status ${status}`);
    this.status = status;
    this.hint = error?.hint ?? "";
  }
}

/** Asks until there is an answer; a refusal is thrown, an absent server is waited for. */
export async function ask(method, path, { csrf, body, onabsent = () => {} } = {}) {
  const headers = { Accept: "application/json", "X-CSRF-Token": csrf ?? "" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const text = body === undefined ? undefined : JSON.stringify(body);
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
    try {
      const response = await fetch(path, {
        method,
        headers,
        body: text,
        credentials: "same-origin",
        keepalive: method === "POST",
        signal: AbortSignal.timeout(PATIENCE_MS),
      });
      if (response.ok) return await response.json();
      if (response.status < 500 && !AGAIN.includes(response.status)) {
        const answer = await response.json().catch(() => ({}));
        throw new Refused(response.status, answer.error);
      }
    } catch (error) {
      if (error instanceof Refused) throw error;
    }
    onabsent();
    const online = new Promise((resolve) => addEventListener("online", resolve, { once: true }));
    await Promise.race([wait(pause), online]);
  }
}

export class Sender {
  /**
   * @param outbox where chunks are kept until they are acknowledged
   * @param state what the server holds of the take: GET /api/v1/takes/ID
   */
  constructor(outbox, state, csrf) {
    this.outbox = outbox;
    this.take = state.take;
    this.csrf = csrf;
    this.columns = ["media_time", "frame", "clock_ms", ...state.dimensions, "flags"];
    this.onstate = () => {};
    this.onrefused = () => {};
    this.waiting = [];
    this.isSending = false;
    this.isAbsent = false;
    this.filling = null;
    this.samples = state.samples;
    this.free = [...state.missing];
    this.next = state.chunks;
  }

  /** Takes up what an earlier page of this browser left behind. */
  async resume() {
    const left = await this.outbox.all(this.take);
    const missing = new Set(this.free);
    for (const chunk of left) {
      const isHeld = chunk.seq < this.next && !missing.has(chunk.seq);
      if (!isHeld) this.samples += chunk.samples.media_time.length;
      this.waiting.push(chunk);
    }
    const kept = new Set(left.map((chunk) => chunk.seq));
    const last = left.length ? left[left.length - 1].seq + 1 : 0;
    for (let seq = this.next; seq < last; seq += 1) this.free.push(seq);
    // Numbers that neither the server nor this browser has are given to what is rated from now on.
    this.free = this.free.filter((seq) => !kept.has(seq));
    this.next = Math.max(this.next, last);
    this.work();
    return left.length ? left[left.length - 1].samples.media_time.at(-1) : null;
  }

  /** Adds one sample: an object with a value for each column. */
  add(sample) {
    const now = performance.now();
    if (!this.filling) {
      const seq = this.free.length ? this.free.shift() : this.next++;
      const samples = Object.fromEntries(this.columns.map((name) => [name, []]));
      this.filling = { chunk: { take: this.take, seq, samples }, begun: now, kept: 0 };
    }
    const { chunk, begun, kept } = this.filling;
    for (const name of this.columns) chunk.samples[name].push(sample[name]);
    this.samples += 1;
    if (now - begun >= CHUNK_MS) this.seal();
    else if (now - kept >= KEEP_MS) {
      this.filling.kept = now;
      this.outbox.put(chunk).catch(() => {});
    }
  }

  /** Ends the chunk that is being filled and sends it. */
  seal() {
    if (!this.filling) return;
    const { chunk } = this.filling;
    this.filling = null;
    this.waiting.push(chunk);
    // A full disk must not keep the chunk from being sent.
    this.outbox.put(chunk).catch(() => {}).then(() => this.work());
  }

  /** Sends what waits, one after the other. */
  async work() {
    if (this.isSending) return;
    this.isSending = true;
    try {
      while (this.waiting.length) {
        this.onstate();
        const chunk = this.waiting[0];
        await ask("POST", `/api/v1/takes/${this.take}/chunks/${chunk.seq}`, {
          csrf: this.csrf,
          body: { samples: chunk.samples },
          onabsent: () => this.setAbsent(true),
        });
        this.setAbsent(false);
        this.waiting.shift();
        await this.outbox.remove(this.take, chunk.seq).catch(() => {});
      }
    } catch (error) {
      this.onrefused(error);
      return;
    } finally {
      this.isSending = false;
    }
    this.onstate();
  }

  setAbsent(isAbsent) {
    this.isAbsent = isAbsent;
    this.onstate();
  }

  /** Returns once the server has confirmed that it holds every chunk. */
  async finish() {
    this.seal();
    while (this.waiting.length || this.isSending) await wait(50);
    return ask("POST", `/api/v1/takes/${this.take}/finish`, {
      csrf: this.csrf,
      body: { chunks: this.next, samples: this.samples },
      onabsent: () => this.setAbsent(true),
    });
  }
}
