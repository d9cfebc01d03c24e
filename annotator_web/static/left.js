// On every page of a rater: sends what closed tabs and earlier takes of this browser have left.

import { Refused, ask } from "./ask.js";
import { hold, isWanted } from "./lock.js";
import { Outbox } from "./outbox.js";
import { Sender, sendingLock } from "./sender.js";

const named = (name) => document.querySelector(`meta[name="mavfer-${name}"]`)?.content ?? "";

/** Sends what one take has left, unless another page is at it. */
async function sendLeft(outbox, take, csrf) {
  const lock = sendingLock(take);
  const release = await hold(lock);
  if (!release) return;
  try {
    const state = await ask("GET", `/api/v1/takes/${take}`);
    const sender = new Sender(outbox, state, csrf);
    sender.mayGoOn = async () => !(await isWanted(lock));
    await sender.takeUp();
    await sender.work();
    const end = await outbox.end(take);
    if (sender.failure || sender.waiting.length || !end) return;
    await sender.confirm({ ...end, chunks: sender.next, samples: sender.samples });
    await outbox.removeEnd(take);
  } catch (error) {
    if (!(error instanceof Refused)) throw error; // it stays here, for when the rater is let in again
  } finally {
    release();
  }
}

async function main() {
  const rater = named("rater");
  if (!rater) return;
  const outbox = await Outbox.open(rater);
  for (const take of await outbox.takes()) await sendLeft(outbox, take, named("csrf"));
  document.documentElement.dataset.left = "sent";
}

main();
