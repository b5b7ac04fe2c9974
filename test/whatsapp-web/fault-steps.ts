import type { PageConnection } from './page-connection.js';
import type { Step } from './settings.js';
import type { World } from './world.js';

/** Injects the fault that is set for this step, once. Returns whether there was one. */
export function injectAtStep({ faults }: World, page: PageConnection, step: Step): boolean {
  if (faults.reloadAt?.step === step) {
    page.perform('reload', faults.reloadAt.delayMs);
    faults.reloadAt = null;
    return true;
  }
  if (faults.hangAt?.step === step) {
    page.perform('hang', faults.hangAt.delayMs);
    faults.hangAt = null;
    return true;
  }
  return false;
}
