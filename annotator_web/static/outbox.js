// What was rated and not acknowledged yet, kept by the browser through reloads and crashes.

const NAME = "mavfer-annotator";
const STORE = "chunks";

function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

export class Outbox {
  static async open() {
    const request = indexedDB.open(NAME, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE, { keyPath: ["take", "seq"] });
    return new Outbox(await done(request));
  }

  constructor(database) {
    this.database = database;
  }

  store(mode) {
    return this.database.transaction(STORE, mode).objectStore(STORE);
  }

  /** Keeps a chunk {take, seq, samples}; one of the same number is replaced. */
  put(chunk) {
    return done(this.store("readwrite").put(chunk));
  }

  remove(take, seq) {
    return done(this.store("readwrite").delete([take, seq]));
  }

  /** All chunks of a take, in order. */
  all(take) {
    return done(this.store("readonly").getAll(IDBKeyRange.bound([take, 0], [take, Infinity])));
  }
}
