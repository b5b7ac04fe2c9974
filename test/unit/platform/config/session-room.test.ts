import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { loadConfig } from '../../../../src/platform/config/config.js';
import { roomByMemory } from '../../../../src/platform/config/session-room.js';

const GiB = 1_073_741_824;
const noLimits = [0, 2 ** 64, 2 ** 63];

describe('the room for sessions', () => {
  it('is what the memory carries besides the reserve, at least one', () => {
    const found = [0.5, 1, 2, 2.9, 3, 7.7, 24, 500].map(
      (gib) => roomByMemory(gib * GiB, 0, 'chromium').sessions,
    );
    assert.deepEqual(found, [1, 1, 1, 1, 2, 6, 23, 100]);
  });

  it('follows the limit of a container that is smaller than the machine', () => {
    assert.deepEqual(roomByMemory(24 * GiB, 3 * GiB, 'chromium'), {
      sessions: 2,
      by: 'the memory limit, 3 GiB: 1 GiB is kept free, and a session takes 1 GiB',
    });
    for (const limit of [...noLimits, 24 * GiB, 32 * GiB]) {
      assert.deepEqual(roomByMemory(24 * GiB, limit, 'chromium'), {
        sessions: 23,
        by: "the machine's memory, 24 GiB: 1 GiB is kept free, and a session takes 1 GiB",
      });
    }
  });

  it('is larger with the headless shell', () => {
    assert.deepEqual(roomByMemory(24 * GiB, 0, 'shell'), {
      sessions: 24,
      by: "the machine's memory, 24 GiB: 1 GiB is kept free, and a session takes 960 MiB",
    });
    assert.equal(roomByMemory(2 * GiB, 0, 'shell').sessions, 1);
    const { maxSessionsBy } = loadConfig('all', { WHATSAPP_BROWSER: 'shell' });
    assert.match(maxSessionsBy, /a session takes 960 MiB$/);
  });

  it('is what WHATSAPP_MAX_SESSIONS says, if that is set', () => {
    const config = loadConfig('all', { WHATSAPP_MAX_SESSIONS: '7', WHATSAPP_MAX_STARTS: '3' });
    assert.deepEqual(
      [config.maxSessions, config.maxSessionsBy, config.maxStarts],
      [7, 'WHATSAPP_MAX_SESSIONS', 3],
    );
  });
});
