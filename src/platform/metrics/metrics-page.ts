import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { productVersion } from '../../contract/product.js';

/** What one part of the product measures, as Prometheus asks for it. */
export class MetricsPage {
  /** Of this part; whoever measures something registers it here. */
  readonly registry = new Registry();
  readonly #refresh: () => Promise<void>;
  #rendering: Promise<string> | null = null;

  /** `refresh` reads what is only known by asking, before each answer; it must not fail. */
  constructor(role: string, refresh: () => Promise<void>) {
    this.#refresh = refresh;
    new Gauge({
      name: 'holdline_info',
      help: 'Always 1; the version and the role of the process.',
      labelNames: ['version', 'role'],
      registers: [this.registry],
    }).set({ version: productVersion, role }, 1);
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  /** Two that ask at once get the same answer. */
  render(): Promise<string> {
    this.#rendering ??= this.#render().finally(() => {
      this.#rendering = null;
    });
    return this.#rendering;
  }

  async #render(): Promise<string> {
    await this.#refresh();
    return Registry.merge([this.registry, ofProcess()]).metrics();
  }
}

let processRegistry: Registry | null = null;

/** Node's own, once a process, and only once somebody asks: they watch the event loop and the collector. */
function ofProcess(): Registry {
  if (processRegistry === null) {
    processRegistry = new Registry();
    collectDefaultMetrics({ register: processRegistry });
  }
  return processRegistry;
}
