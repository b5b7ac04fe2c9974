import type { PageKeys } from './linking.js';
import type { PageConnection } from './page-connection.js';
import { Timers } from './timers.js';
import { note, type World } from './world.js';

/** Issues refs to an unlinked page: a batch, each valid until the next one. Then the page enters UNPAIRED_IDLE. */
export class RefSeries {
  readonly #world: World;
  readonly #page: PageConnection;
  readonly #timers = new Timers();
  #keys: PageKeys | undefined;

  constructor(world: World, page: PageConnection) {
    this.#world = world;
    this.#page = page;
  }

  start(keys: PageKeys): void {
    this.stop();
    this.#keys = keys;
    const { faults, timing } = this.#world;
    if (faults.noRef) {
      this.#page.enter('UNPAIRED');
    } else if (timing.refDelayMs > 0) {
      this.#page.enter('UNPAIRED');
      this.#timers.later(timing.refDelayMs, () => this.#offer(1));
    } else {
      this.#offer(1);
      this.#page.enter('UNPAIRED');
    }
  }

  stop(): void {
    this.#timers.cancel();
  }

  /** Keys for later refs. */
  changeKeys(keys: PageKeys): void {
    this.#keys = keys;
  }

  #offer(nth: number): void {
    if (!this.#keys) return;
    const { linking, timing } = this.#world;
    if (nth > timing.refsPerBatch) {
      note(this.#world, 'The page stopped showing QR codes until it is asked for more.');
      this.#page.enter('UNPAIRED_IDLE');
      return;
    }
    const lifetimeMs = nth === 1 ? timing.firstRefMs : timing.nextRefMs;
    const { ref } = linking.issueRef(this.#page.pageId, this.#keys, lifetimeMs);
    note(this.#world, `The page shows QR code ${nth} of ${timing.refsPerBatch}.`);
    this.#page.send({ type: 'ref', ref });
    if (nth === 1) this.#page.reached('first-ref');
    this.#timers.later(lifetimeMs, () => this.#offer(nth + 1));
  }
}
