import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { create, extract } from 'tar';
import { DamagedSnapshotError } from './errors.js';

/** Packs a folder into one compressed stream and unpacks it. Compression runs off the event loop, in bounded memory. */

/** LevelDB's tables are compressed already: a higher level gains nothing. */
const gzipLevel = 1;

/**
 * tar continues with its current file after the pipeline has ended, and fails if the folder is gone. The pipeline no longer
 * listens then, and without a listener the error would end the process.
 */
const ignoreLateError = () => undefined;

/** Packs `dir` into a stream for `consume`. Rejects with the error of `consume`, or with that of the stream. */
export async function packFolder(
  dir: string,
  consume: (compressed: AsyncIterable<Buffer>) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const archive = create({ cwd: dir, portable: true, maxReadSize: 256 * 1024 }, ['.']);
  archive.on('error', ignoreLateError);
  let consumeError: unknown;
  const consumeFirst = (compressed: AsyncIterable<Buffer>) =>
    consume(compressed).catch((error: unknown) => {
      consumeError = error;
      throw error;
    });
  await pipeline(Readable.from(archive), createGzip({ level: gzipLevel }), consumeFirst, { signal }).catch(
    // When `consume` fails, the pipeline may reject with the abort of another stream instead.
    (error: unknown) => Promise.reject(consumeError ?? error),
  );
}

/**
 * Unpacks into `dir`, which must exist and be empty. Throws {@link DamagedSnapshotError} if an entry is not a file or folder,
 * or is not `isExpected`. No such entry is written.
 */
export async function unpackFolder(
  compressed: AsyncIterable<Buffer>,
  dir: string,
  isExpected: (path: string) => boolean,
  signal: AbortSignal,
): Promise<void> {
  let unexpected: string | null = null;
  const unpack = extract({
    cwd: dir,
    strict: true,
    preserveOwner: false,
    filter(path, entry) {
      const type = 'type' in entry ? entry.type : 'unknown';
      const isKept = (type === 'File' || type === 'Directory') && isExpected(path);
      if (!isKept) unexpected ??= path;
      return isKept;
    },
  });
  unpack.on('error', ignoreLateError);
  await pipeline(Readable.from(compressed), createGunzip(), unpack as unknown as NodeJS.WritableStream, {
    signal,
  });
  if (unexpected !== null) throw new DamagedSnapshotError(`it holds ${JSON.stringify(unexpected)}`);
}
