// Work that nobody sees at once, done a few milliseconds at a time, so that no frame and no key press waits for all of it.

const SLICE_MS = 6;

// Calls `work` for each thing that is put here, in the order in which they came; a thing that waits already is not put twice.
export class Slices {
  constructor(work) {
    this.work = work;
    this.waiting = new Set();
    this.timer = null;
  }

  put(thing) {
    this.waiting.add(thing);
    this.timer ??= setTimeout(() => this.run(), 0);
  }

  // Whether it was still waiting; now it does not.
  take(thing) {
    return this.waiting.delete(thing);
  }

  run() {
    const until = performance.now() + SLICE_MS;
    for (const thing of this.waiting) {
      if (performance.now() > until) break;
      this.waiting.delete(thing);
      this.work(thing);
    }
    this.timer = this.waiting.size ? setTimeout(() => this.run(), 0) : null;
  }
}
