import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { create, extract } from 'tar';
import { DamagedSnapshotError } from './errors.js';

/** A folder as one compressed stream and back. Compression runs beside the event loop, in bounded memory. */

/** LevelDB has compressed its tables already: more effort than this gains nothing. */
const effort = 1;

/**
 * The pipeline hears errors for as long as it runs. tar goes on with the file that it is at after that, and finds the
 * folder gone: without a listener this would end the process.
 */
const ignoreLateError = () => undefined;

/** Hands the stream to `consume`; settles when that has settled. */
export async function packFolder(
  dir: string,
  consume: (compressed: AsyncIterable<Buffer>) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const archive = create({ cwd: dir, portable: true, maxReadSize: 256 * 1024 }, ['.']);
  archive.on('error', ignoreLateError);
  let failure: unknown;
  const consumeFirst = (compressed: AsyncIterable<Buffer>) =>
    consume(compressed).catch((error: unknown) => {
      failure = error;
      throw error;
    });
  await pipeline(Readable.from(archive), createGzip({ level: effort }), consumeFirst, { signal }).catch(
    // Streams that are torn down meanwhile report an abort of their own.
    (error: unknown) => Promise.reject(failure ?? error),
  );
}

/**
 * Unpacks into `dir`, which exists and is empty. Throws {@link DamagedSnapshotError} for anything that is not a file
 * or folder that `isExpected`.
 */
export async function unpackFolder(
  compressed: AsyncIterable<Buffer>,
  dir: string,
  isExpected: (path: string) => boolean,
  signal: AbortSignal,
): Promise<void> {
  let stranger: string | null = null;
  const unpack = extract({
    cwd: dir,
    strict: true,
    preserveOwner: false,
    filter(path, entry) {
      const type = 'type' in entry ? entry.type : 'unknown';
      const isKept = (type === 'File' || type === 'Directory') && isExpected(path);
      if (!isKept) stranger ??= path;
      return isKept;
    },
  });
  unpack.on('error', ignoreLateError);
  await pipeline(Readable.from(compressed), createGunzip(), unpack as unknown as NodeJS.WritableStream, {
    signal,
  });
  if (stranger !== null) throw new DamagedSnapshotError(`it holds ${JSON.stringify(stranger)}`);
}
