import { createHash, randomUUID } from 'node:crypto';
import { bounds, type OnBound } from '../../contract/bounds.js';
import type { SnapshotHeader, SnapshotManifest } from '../../contract/credentials.js';
import type { CredentialsKey } from '../../platform/credentials-keys.js';
import { unlessAborted } from '../../platform/deadline.js';
import type { Redis } from '../../platform/redis/connection.js';
import {
  commitSnapshot,
  discardStaged,
  readManifest,
  readPiece,
  type SnapshotSlot,
  stagePiece,
} from '../../platform/store/credentials-store.js';
import { packFolder, unpackFolder } from './archive.js';
import { cutIntoPieces, decryptPiece, encryptPiece } from './encryption.js';
import { DamagedSnapshotError, SnapshotRefusedError, SnapshotTooLargeError } from './errors.js';

export interface SnapshotStoreOptions {
  readonly redis: Redis;
  readonly session: string;
  /** The first encrypts, all decrypt. Empty: nothing can be stored or read. */
  readonly keys: readonly CredentialsKey[];
  readonly onBound: OnBound;
}

/** A stored snapshot and the key that decrypts it. */
export interface StoredSnapshot {
  readonly slot: SnapshotSlot;
  readonly manifest: SnapshotManifest;
  readonly key: CredentialsKey;
}

/** A snapshot in Redis. `unreadable`: no key here decrypts it; `damaged`: it must not be used. */
export type FoundSnapshot =
  | ({ readonly type: 'readable' } & StoredSnapshot)
  | { readonly type: 'unreadable'; readonly slot: SnapshotSlot; readonly manifest: SnapshotManifest }
  | { readonly type: 'damaged'; readonly slot: SnapshotSlot };

/** Stores folders as encrypted snapshots of a session's login in Redis, and fetches them. Redis errors pass through. */
export class SnapshotStore {
  readonly #options: SnapshotStoreOptions;

  constructor(options: SnapshotStoreOptions) {
    this.#options = options;
  }

  get hasKey(): boolean {
    return this.#options.keys.length > 0;
  }

  /**
   * Stores the content of `dir` as the newest snapshot. Throws {@link SnapshotTooLargeError}, and {@link SnapshotRefusedError}
   * when the session belongs to a newer run or its login was wiped. A snapshot that fails leaves nothing in Redis.
   */
  async store(
    dir: string,
    facts: Pick<SnapshotHeader, 'epoch' | 'wipedEpoch'>,
    signal: AbortSignal,
    maxBytes: number = bounds.snapshot,
  ): Promise<SnapshotManifest> {
    const { redis, session, keys } = this.#options;
    const [key] = keys;
    if (key === undefined) throw new SnapshotRefusedError('there is no key');
    const header = {
      version: 1,
      session,
      id: randomUUID(),
      ...facts,
      keyId: key.id,
      takenAt: new Date().toISOString(),
    } as const;
    const writer = { session, epoch: facts.epoch };
    const hash = createHash('sha256');
    let [pieces, bytes] = [0, 0];
    try {
      await packFolder(
        dir,
        async (compressed) => {
          for await (const { plain, isLast } of cutIntoPieces(compressed)) {
            const encrypted = encryptPiece(plain, key, { header, index: pieces, isLast });
            hash.update(encrypted);
            bytes += encrypted.length;
            if (bytes > maxBytes) throw this.#tooLarge(maxBytes);
            const staging = stagePiece(redis, writer, header.id, pieces, encrypted);
            if (!(await unlessAborted(staging, signal))) {
              throw new SnapshotRefusedError('the session belongs to a newer run');
            }
            pieces++;
          }
        },
        signal,
      );
      const manifest = { header, pieces, bytes, sha256: hash.digest('hex') };
      const outcome = await unlessAborted(commitSnapshot(redis, writer, manifest), signal);
      if (outcome !== 'committed') throw new SnapshotRefusedError(refusals[outcome]);
      return manifest;
    } catch (error) {
      // If Redis does not answer, the staged pieces expire by themselves.
      discardStaged(redis, session, header.id).catch(() => undefined);
      throw error;
    }
  }

  #tooLarge(maxBytes: number): SnapshotTooLargeError {
    this.#options.onBound('snapshot');
    return new SnapshotTooLargeError(maxBytes);
  }

  newest(): Promise<FoundSnapshot | null> {
    return this.#read('newest');
  }

  /** The stored snapshots that no later wipe has voided, the newest first, including damaged ones. */
  async find(wipedEpoch: number): Promise<FoundSnapshot[]> {
    const found = [await this.#read('newest'), await this.#read('previous')];
    return found.filter(
      (snapshot): snapshot is FoundSnapshot =>
        snapshot !== null &&
        (snapshot.type === 'damaged' || snapshot.manifest.header.wipedEpoch >= wipedEpoch),
    );
  }

  /** Unpacks a snapshot into `dir`. After a {@link DamagedSnapshotError} the content of `dir` must not be used. */
  async fetch(
    snapshot: StoredSnapshot,
    dir: string,
    isExpected: (path: string) => boolean,
    signal: AbortSignal,
  ): Promise<void> {
    const { redis, session } = this.#options;
    const { slot, key, manifest } = snapshot;
    const { header, pieces } = manifest;
    const hash = createHash('sha256');
    let bytes = 0;
    async function* plainPieces(): AsyncGenerator<Buffer> {
      for (let index = 0; index < pieces; index++) {
        const encrypted = await unlessAborted(readPiece(redis, session, slot, index), signal);
        if (encrypted === null) throw new DamagedSnapshotError(`piece ${index} is missing`);
        hash.update(encrypted);
        bytes += encrypted.length;
        yield decryptPiece(encrypted, key, { header, index, isLast: index === pieces - 1 });
      }
    }
    try {
      await unpackFolder(plainPieces(), dir, isExpected, signal);
    } catch (error) {
      const code = String((error as { code?: unknown } | null)?.code);
      if (/^(Z|TAR)_/.test(code)) throw new DamagedSnapshotError('it cannot be unpacked', error);
      throw error;
    }
    if (bytes !== manifest.bytes || hash.digest('hex') !== manifest.sha256) {
      throw new DamagedSnapshotError('its size or checksum differs');
    }
  }

  async #read(slot: SnapshotSlot): Promise<FoundSnapshot | null> {
    const { redis, session, keys } = this.#options;
    const manifest = await readManifest(redis, session, slot);
    if (manifest === null) return null;
    if (manifest === 'damaged' || manifest.header.session !== session) return { type: 'damaged', slot };
    const key = keys.find(({ id }) => id === manifest.header.keyId);
    if (key === undefined) return { type: 'unreadable', slot, manifest };
    return { type: 'readable', slot, manifest, key };
  }
}

const refusals = {
  fenced: 'the session belongs to a newer run',
  wiped: 'the login was wiped during the backup',
  incomplete: 'some of its pieces expired because the upload was too slow',
} as const;
