import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import { productVersion } from '../../contract/product.js';

/** The metrics of one part of the product, in Prometheus' format. */
export class MetricsPage {
  /** The metrics of this part are registered here. */
  readonly registry = new Registry();
  readonly #refresh: () => Promise<void>;
  #rendering: Promise<string> | null = null;

  /** `refresh` updates the metrics that must be read first, before each response; it must not reject. */
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

  /** Concurrent scrapes share one response. */
  render(): Promise<string> {
    this.#rendering ??= this.#render().finally(() => {
      this.#rendering = null;
    });
    return this.#rendering;
  }

  async #render(): Promise<string> {
    await this.#refresh();
    return Registry.merge([this.registry, processMetrics()]).metrics();
  }
}

let processRegistry: Registry | null = null;

/** Node's own metrics. Created at the first scrape, because they observe event loop and garbage collector all the time. */
function processMetrics(): Registry {
  if (processRegistry === null) {
    processRegistry = new Registry();
    collectDefaultMetrics({ register: processRegistry });
  }
  return processRegistry;
}
