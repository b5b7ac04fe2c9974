import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { dieWithThisProcess } from '../support/die-with-this-process.js';
import { eventually } from '../support/eventually.js';
import { freePort } from '../support/free-port.js';

/** Labels and points of one series. Points that are NaN count as none, because Grafana draws nothing for them. */
export interface Answer {
  readonly labels: Readonly<Record<string, string>>;
  readonly points: readonly number[];
}

/** A real Prometheus that scrapes these targets each second. */
export interface Prometheus {
  /** Throws with Prometheus' own message if the query is wrong. */
  queryRange(expr: string, fromS: number, toS: number): Promise<Answer[]>;
  /** The values of a label in the series of a selector. */
  labelValues(label: string, selector: string): Promise<string[]>;
  stop(): Promise<void>;
}

/** `targets`: an address `host:port` for each job. Throws `ENOENT` if there is no prometheus on the PATH. */
export async function startPrometheus(targets: Readonly<Record<string, string>>): Promise<Prometheus> {
  const dir = await mkdtemp(join(tmpdir(), 'holdline-prometheus-'));
  const jobs = Object.entries(targets).map(([job, target]) => ({
    job_name: job,
    static_configs: [{ targets: [target] }],
  }));
  const global = { scrape_interval: '1s', scrape_timeout: '1s' };
  // JSON is YAML.
  await writeFile(join(dir, 'prometheus.yml'), JSON.stringify({ global, scrape_configs: jobs }));
  const port = await freePort();
  const child = spawn(
    'prometheus',
    [
      `--config.file=${join(dir, 'prometheus.yml')}`,
      `--storage.tsdb.path=${join(dir, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=error',
    ],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  );
  const exited = once(child, 'exit');
  await once(child, 'spawn');
  dieWithThisProcess(child, 'TERM');
  const url = `http://127.0.0.1:${port}`;

  async function ask(path: string, parameters: Record<string, string>): Promise<unknown> {
    const response = await fetch(`${url}${path}?${new URLSearchParams(parameters)}`);
    const { status, error, data } = (await response.json()) as Record<string, unknown>;
    if (status !== 'success') throw new Error(String(error));
    return data;
  }

  await eventually(async () => (await fetch(`${url}/-/ready`)).ok, {
    timeoutMs: 30_000,
    message: 'Prometheus is ready',
  });
  return {
    async queryRange(expr, fromS, toS) {
      const range = { start: String(fromS), end: String(toS), step: '1' };
      const { result } = (await ask('/api/v1/query_range', { query: expr, ...range })) as {
        result: { metric: Record<string, string>; values: [number, string][] }[];
      };
      return result.map(({ metric, values }) => ({
        labels: metric,
        points: values.map(([, value]) => Number(value)).filter((value) => !Number.isNaN(value)),
      }));
    },
    async labelValues(label, selector) {
      return (await ask(`/api/v1/label/${label}/values`, { 'match[]': selector })) as string[];
    },
    async stop() {
      child.kill('SIGTERM');
      await exited;
      await rm(dir, { recursive: true, force: true });
    },
  };
}
