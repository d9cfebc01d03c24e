// Samples on their way to the server: into numbered chunks, into the outbox, and out once answered.

import { Refused, ask } from "./ask.js";
import { hold } from "./lock.js";

export { Refused, ask } from "./ask.js";

const CHUNK_MS = 1000;
const LOCK_PATIENCE_MS = 10000;
const STATE_PATIENCE_MS = 5000;

const RATING_PATIENCE_MS = 1500; // a page that is reloaded lets go a moment after
const MOST_RENUMBERED = 20;

/** Refusals of a take that takes no more chunks, and of a chunk that fits nowhere. */
const ENDED = ["finished", "no_such_take"];
const UNFIT = ["malformed", "out_of_range", "request_entity_too_large"];

/** Name of the lock of who sends a take. */
export const sendingLock = (take) => `mavfer-sending-${take}`;

/** The take is rated in another tab. */
export class TakenElsewhere extends Error {
  constructor() {
    super("room.elsewhere");
    this.key = "room.elsewhere";
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
    this.mayGoOn = async () => true;
    this.waiting = []; // chunks with the promise of their being kept
    this.filling = null;
    this.working = null;
    this.failure = null;
    this.renumbered = 0; // times, without an acknowledgement in between
    this.isAbsent = false;
    this.isKept = outbox.isKept;
    this.releases = [];
    this.know(state);
    addEventListener("pagehide", () => this.seal());
  }

  know(state) {
    this.state = state;
    this.samples = state.samples;
    this.free = [...state.missing];
    this.next = state.chunks;
  }

  /**
   * Takes the take for this tab alone and takes up what an earlier page of this browser left.
   *
   * @returns media time of the take's last sample; 0 where it has none
   * @throws TakenElsewhere where another tab rates it
   */
  async resume() {
    const rating = await hold(`mavfer-rating-${this.take}`, RATING_PATIENCE_MS);
    if (!rating) throw new TakenElsewhere();
    this.releases.push(rating);
    // A page that sends what was left lets go after its chunk.
    const sending = await hold(sendingLock(this.take), LOCK_PATIENCE_MS);
    if (sending) this.releases.push(sending);
    return this.takeUp();
  }

  /** Takes up what is left, the lock being held; media time of the last sample. */
  async takeUp() {
    await this.refresh();
    const left = await this.outbox.all(this.take).catch(() => []);
    const missing = new Set(this.free);
    for (const chunk of left) {
      const isHeld = chunk.seq < this.next && !missing.has(chunk.seq);
      if (!isHeld) this.samples += chunk.samples.media_time.length;
      this.waiting.push({ chunk, kept: Promise.resolve() });
    }
    const kept = new Set(left.map((chunk) => chunk.seq));
    const last = left.length ? left[left.length - 1].seq + 1 : 0;
    for (let seq = this.next; seq < last; seq += 1) this.free.push(seq);
    // Numbers that neither the server nor this browser has are given to what is rated from now on.
    this.free = this.free.filter((seq) => !kept.has(seq));
    const isLeftLast = last >= this.next && left.length > 0;
    this.next = Math.max(this.next, last);
    this.work();
    return isLeftLast ? left[left.length - 1].samples.media_time.at(-1) : this.state.media_time;
  }

  /** Asks once what the server holds by now: another page may have sent since. */
  async refresh() {
    const options = { credentials: "same-origin", signal: AbortSignal.timeout(STATE_PATIENCE_MS) };
    const response = await fetch(`/api/v1/takes/${this.take}`, options).catch(() => null);
    if (response?.ok) this.know(await response.json().catch(() => this.state));
  }

  /** Adds one sample: an object with a value for each column. */
  add(sample) {
    dispatchEvent(new CustomEvent("mavfer-sample", { detail: sample }));
    if (!this.filling) this.begin();
    const { chunk } = this.filling;
    for (const name of this.columns) chunk.samples[name].push(sample[name]);
    this.samples += 1;
    this.keep(this.filling);
  }

  begin() {
    const seq = this.free.length ? this.free.shift() : this.next++;
    const samples = Object.fromEntries(this.columns.map((name) => [name, []]));
    const timer = setTimeout(() => this.seal(), CHUNK_MS);
    this.filling = { chunk: { take: this.take, seq, samples }, timer, isKeeping: false, isMore: false };
  }

  /** Writes the chunk that is being filled to the outbox with each sample, one write at a time. */
  async keep(filling) {
    filling.isMore = true;
    if (filling.isKeeping) return;
    filling.isKeeping = true;
    while (filling.isMore && filling === this.filling) {
      filling.isMore = false;
      await this.kept(this.outbox.put(filling.chunk));
    }
    filling.isKeeping = false;
  }

  /** Waits for a change of the outbox, and notes whether the browser still keeps anything. */
  async kept(change) {
    const isKept = await change.then(
      () => true,
      () => false,
    );
    if (isKept === this.isKept) return isKept;
    this.isKept = isKept;
    this.onstate();
    return isKept;
  }

  /** Ends the chunk that is being filled and sends it. */
  seal() {
    if (!this.filling) return;
    const { chunk, timer } = this.filling;
    clearTimeout(timer);
    this.filling = null;
    this.waiting.push({ chunk, kept: this.keepWhole(chunk) });
    this.work();
  }

  /** A whole chunk is synced to the disk before it is sent: half of it is never what was sent. */
  async keepWhole(chunk) {
    if (await this.kept(this.outbox.put(chunk, "strict"))) return;
    // A full disk must not keep it from being sent; nor may an older half of it come back.
    await this.outbox.remove(this.take, chunk.seq).catch(() => {});
  }

  /** Sends what waits, one after the other. */
  work() {
    this.working ??= this.sendAll().finally(() => {
      this.working = null;
    });
    return this.working;
  }

  async sendAll() {
    while (this.waiting.length && !this.failure && (await this.mayGoOn())) {
      this.onstate();
      const [first] = this.waiting;
      await first.kept;
      try {
        await this.send(first.chunk);
        this.waiting.shift();
        await this.outbox.remove(this.take, first.chunk.seq).catch(() => {});
      } catch (error) {
        await this.settle(first, error);
      }
    }
    this.onstate();
  }

  async send(chunk) {
    await ask("POST", `/api/v1/takes/${this.take}/chunks/${chunk.seq}`, {
      csrf: this.csrf,
      body: { samples: chunk.samples },
      onabsent: () => this.setAbsent(true),
    });
    this.renumbered = 0;
    this.setAbsent(false);
  }

  /** Finds a place for a chunk that was refused: another number, or aside; never nowhere. */
  async settle(entry, error) {
    if (error.code === "chunk_differs" && this.renumbered < MOST_RENUMBERED) {
      this.renumbered += 1;
      await this.renumber();
      return;
    }
    if (ENDED.includes(error.code)) while (this.waiting.length) await this.putAside(error.code);
    else if (UNFIT.includes(error.code)) await this.putAside(error.code);
    this.failure = error;
    this.onrefused(error);
  }

  async putAside(code) {
    const { chunk } = this.waiting.shift();
    this.samples -= chunk.samples.media_time.length;
    this.free.push(chunk.seq);
    await this.outbox.refuse(chunk, code).catch(() => {});
  }

  /** Another device went on under our numbers: all that waits here goes behind, in its order. */
  async renumber() {
    this.know(await ask("GET", `/api/v1/takes/${this.take}`));
    const own = this.waiting.map(({ chunk }) => chunk);
    if (this.filling) own.push(this.filling.chunk);
    const before = own.map(({ seq }) => seq);
    for (const chunk of own) {
      chunk.seq = this.next++;
      this.samples += chunk.samples.media_time.length;
    }
    await this.kept(this.outbox.replace(this.take, before, own));
  }

  setAbsent(isAbsent) {
    this.isAbsent = isAbsent;
    this.onstate();
  }

  /** Returns once everything given so far is acknowledged; throws where it was refused. */
  async drained() {
    this.seal();
    while (this.waiting.length && !this.failure) await this.work();
    if (this.failure) throw this.failure;
  }

  /** Returns once the server has confirmed that it holds every chunk; `client` completes the take. */
  async finish(client) {
    this.seal();
    const end = () => ({ take: this.take, chunks: this.next, samples: this.samples, client });
    await this.outbox.putEnd(end()).catch(() => {});
    await this.drained();
    await this.confirm(end());
    await this.outbox.removeEnd(this.take).catch(() => {});
    this.release();
  }

  async confirm({ chunks, samples, client }) {
    const options = { csrf: this.csrf, onabsent: () => this.setAbsent(true) };
    const path = `/api/v1/takes/${this.take}/finish`;
    try {
      await ask("POST", path, { ...options, body: { chunks, samples, client } });
    } catch (error) {
      if (!(error instanceof Refused) || error.code !== "counts_differ") throw error;
      // Another device added to it. All that was given here is acknowledged: count what is there.
      await this.refresh();
      const body = { chunks: this.state.chunks, samples: this.state.samples, client };
      await ask("POST", path, { ...options, body });
    }
    this.setAbsent(false);
  }

  /** Lets another tab have the take. */
  release() {
    for (const release of this.releases.splice(0)) release();
  }
}
