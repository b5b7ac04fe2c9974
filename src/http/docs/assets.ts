import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { sha256Hex } from '../../platform/digest.js';
import { pageStyle, startScript } from './page-parts.js';

/** A file that the page loads. There are these and no others. */
export interface Asset {
  readonly name: string;
  readonly type: string;
  /** Part of the URL that the page asks for, so that a copy can be kept for ever. */
  readonly version: string;
  /** The same bytes for whoever asks. */
  read(): Promise<Buffer>;
}

const css = 'text/css; charset=utf-8';
const js = 'text/javascript; charset=utf-8';

/** As package.json pins it. */
const swaggerUi = '5.35.0';

export const stylesheets: readonly Asset[] = [
  packaged('swagger-ui.css', css, import.meta.resolve('swagger-ui-dist/swagger-ui.css')),
  ours('page.css', css, pageStyle),
];

export const scripts: readonly Asset[] = [
  packaged('swagger-ui-bundle.js', js, import.meta.resolve('swagger-ui-dist/swagger-ui-bundle.js')),
  ours('start.js', js, startScript),
];

function packaged(name: string, type: string, url: string): Asset {
  let bytes: Promise<Buffer> | null = null;
  const read = () => {
    bytes ??= readFile(fileURLToPath(url)).catch((error: unknown) => {
      bytes = null;
      throw error;
    });
    return bytes;
  };
  return { name, type, version: swaggerUi, read };
}

function ours(name: string, type: string, text: string): Asset {
  const version = sha256Hex(text).slice(0, 12);
  const bytes = Buffer.from(text);
  return { name, type, version, read: async () => bytes };
}
