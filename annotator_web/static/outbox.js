// What was rated and not acknowledged yet, kept by the browser through reloads and crashes.
// Everything is kept under the rater's own name, so that two raters on one browser do not mix.

const NAME = "mavfer-annotator";
const VERSION = 2;
const CHUNKS = "waiting"; // {rater, take, seq, samples}
const ENDS = "ends"; // {rater, take, chunks, samples, client}: rated to the end, not confirmed yet
const REFUSED = "refused"; // what the server will not take; nothing is thrown away
const FIRST_STORE = "chunks"; // of version 1, when there was no rater's name

function answer(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error("another tab holds an older store open"));
  });
}

function connect() {
  const request = indexedDB.open(NAME, VERSION);
  request.onupgradeneeded = ({ oldVersion }) => {
    const database = request.result;
    const chunks = database.createObjectStore(CHUNKS, { keyPath: ["rater", "take", "seq"] });
    database.createObjectStore(ENDS, { keyPath: ["rater", "take"] });
    database.createObjectStore(REFUSED, { autoIncrement: true });
    if (oldVersion === 0) return;
    const before = request.transaction.objectStore(FIRST_STORE);
    before.getAll().onsuccess = ({ target }) => {
      for (const chunk of target.result) chunks.put({ rater: "", ...chunk });
      database.deleteObjectStore(FIRST_STORE);
    };
  };
  return answer(request);
}

export class Outbox {
  /** The outbox of one rater; where the browser keeps nothing, one that says so by `isKept`. */
  static async open(rater = "") {
    try {
      return new Outbox(await connect(), rater);
    } catch {
      return new Outbox(null, rater);
    }
  }

  constructor(database, rater) {
    this.rater = rater;
    this.isKept = database !== null;
    this.use(database);
  }

  use(database) {
    this.database = database;
    if (database) database.onversionchange = () => database.close();
  }

  /** Keeps a chunk {take, seq, samples}; one of the same number is replaced. */
  put(chunk, durability = "relaxed") {
    return this.change(CHUNKS, durability, (store) => store.put({ ...chunk, rater: this.rater }));
  }

  remove(take, seq) {
    return this.change(CHUNKS, "relaxed", (store) => store.delete([this.rater, take, seq]));
  }

  /** Gives chunks of a take other numbers than those of `before`, in one go. */
  replace(take, before, chunks) {
    return this.change(CHUNKS, "strict", (store) => {
      for (const seq of before) store.delete([this.rater, take, seq]);
      for (const chunk of chunks) store.put({ ...chunk, rater: this.rater });
    });
  }

  /** Puts a chunk that the server will not take aside. */
  refuse(chunk, code) {
    const row = { ...chunk, rater: this.rater, code, at: new Date().toISOString() };
    return this.change([CHUNKS, REFUSED], "strict", (chunks, refused) => {
      refused.add(row);
      chunks.delete([this.rater, chunk.take, chunk.seq]);
    });
  }

  /** Notes that a take was rated to its end: {take, chunks, samples, client}. */
  putEnd(end) {
    return this.change(ENDS, "strict", (store) => store.put({ ...end, rater: this.rater }));
  }

  removeEnd(take) {
    return this.change(ENDS, "relaxed", (store) => store.delete([this.rater, take]));
  }

  /** All chunks of a take, in order. */
  all(take) {
    const range = () => IDBKeyRange.bound([this.rater, take, 0], [this.rater, take, Infinity]);
    return this.read(CHUNKS, [], (store) => store.getAll(range()));
  }

  /** The note that a take was rated to its end; null where it was not. */
  async end(take) {
    return (await this.read(ENDS, null, (store) => store.get([this.rater, take]))) ?? null;
  }

  /** Takes of this rater that left something here. */
  async takes() {
    const range = () => IDBKeyRange.bound([this.rater], [this.rater, []]);
    const keys = [
      ...(await this.read(CHUNKS, [], (store) => store.getAllKeys(range()))),
      ...(await this.read(ENDS, [], (store) => store.getAllKeys(range()))),
    ];
    return [...new Set(keys.map(([, take]) => take))];
  }

  /** Changes something; it is the disk's once this returns. */
  async change(names, durability, work) {
    const transaction = await this.begin(names, "readwrite", durability);
    const done = new Promise((resolve, reject) => {
      transaction.oncomplete = resolve;
      transaction.onabort = () => reject(transaction.error ?? new Error("not kept"));
    });
    try {
      work(...[names].flat().map((name) => transaction.objectStore(name)));
      await done;
      this.isKept = true;
    } catch (error) {
      this.isKept = false;
      throw error;
    }
  }

  async read(name, otherwise, work) {
    if (!this.database) return otherwise;
    const transaction = await this.begin(name, "readonly");
    return answer(work(transaction.objectStore(name)));
  }

  /** A transaction; a connection that the browser has closed is opened again. */
  async begin(names, mode, durability = "default") {
    if (!this.database) throw new Error("this browser keeps nothing");
    try {
      return this.database.transaction(names, mode, { durability });
    } catch (error) {
      if (error.name !== "InvalidStateError") throw error;
      this.isKept = false;
      this.use(await connect());
      return this.database.transaction(names, mode, { durability });
    }
  }
}
