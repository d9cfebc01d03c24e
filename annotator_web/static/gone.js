// Whoever withdrew leaves nothing in this browser: samples that were not sent are taken away.

const gone = (name) =>
  new Promise((resolve) => {
    const request = indexedDB.deleteDatabase(name);
    for (const end of ["onsuccess", "onerror", "onblocked"]) request[end] = resolve;
  });

const kept = (await indexedDB.databases?.()) ?? [];
await Promise.all(kept.map(({ name }) => gone(name)));
document.documentElement.dataset.left = "nothing";
