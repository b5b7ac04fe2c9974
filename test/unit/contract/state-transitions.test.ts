import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isStartSettled, mayFollow } from '../../../src/contract/state-transitions.js';
import { type SessionState, sessionStates } from '../../../src/contract/status.js';

const orders: readonly { title: string; states: readonly SessionState[] }[] = [
  { title: 'a fresh start', states: ['stopped', 'starting', 'qr', 'authenticated', 'ready'] },
  { title: 'a start with saved credentials', states: ['stopped', 'starting', 'authenticated', 'ready'] },
  { title: 'codes without a scan', states: ['starting', 'qr', 'qr', 'qr', 'authenticated'] },
  {
    title: 'a crash of the worker thread',
    states: ['ready', 'disconnected', 'starting', 'authenticated', 'ready'],
  },
  {
    title: 'a lasting network failure',
    states: ['starting', 'disconnected', 'starting', 'disconnected', 'disconnected', 'starting'],
  },
  { title: 'a page that reconnects', states: ['ready', 'authenticated', 'ready'] },
  { title: 'a logout on the phone', states: ['ready', 'disconnected', 'starting', 'qr'] },
  { title: 'a login that is refused', states: ['starting', 'auth_failure', 'starting', 'qr'] },
];

const nonsense: readonly (readonly [SessionState, SessionState, string])[] = [
  ['stopped', 'ready', 'nothing is ready without a start'],
  ['stopped', 'qr', 'no code without a start'],
  ['ready', 'qr', 'a linked account asks for no scan in the same incarnation'],
  ['authenticated', 'qr', 'a scanned code is not followed by another'],
  ['ready', 'starting', 'disconnected comes between two incarnations'],
  ['auth_failure', 'ready', 'a refused login needs a new start'],
  ['auth_failure', 'qr', 'a refused login needs a new start'],
  ['disconnected', 'ready', 'an attempt begins with starting'],
  ['disconnected', 'qr', 'an attempt begins with starting'],
];

describe('the table of states', () => {
  for (const { title, states } of orders) {
    it(`allows ${title}: ${states.join(' -> ')}`, () => {
      for (const [index, to] of states.slice(1).entries()) {
        const from = states[index] as SessionState;
        assert.ok(mayFollow(from, to), `${from} -> ${to}`);
      }
    });
  }

  for (const [from, to, because] of nonsense) {
    it(`refuses ${from} -> ${to}: ${because}`, () => assert.equal(mayFollow(from, to), false));
  }

  it('lets every running state end in stopped', () => {
    for (const state of sessionStates) {
      if (state !== 'stopped') assert.ok(mayFollow(state, 'stopped'), state);
    }
  });

  it('leads from every state back to ready', () => {
    for (const start of sessionStates) {
      const reached = new Set<SessionState>([start]);
      for (const from of reached) {
        for (const to of sessionStates) if (mayFollow(from, to)) reached.add(to);
      }
      assert.ok(reached.has('ready'), start);
    }
  });

  it('counts a start as settled in every state with a result for the caller', () => {
    assert.deepEqual(sessionStates.filter(isStartSettled), [
      'qr',
      'passkey_required',
      'authenticated',
      'ready',
      'auth_failure',
      'disconnected',
    ]);
  });
});
