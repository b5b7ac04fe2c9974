import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { describe, it } from 'node:test';
import { Connections } from '../../../../src/http/connections/connections.js';
import { createAddresses } from '../../../../src/http/core/client-ip.js';
import type { ResponseWithDefaults } from '../../../../src/http/core/responses.js';

/** The part of a socket that Connections uses. */
class FakeSocket extends EventEmitter {
  readonly remoteAddress: string;
  destroyed = false;

  constructor(remoteAddress: string) {
    super();
    this.remoteAddress = remoteAddress;
  }

  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }
}

function replica() {
  const met: string[] = [];
  const connections = new Connections({
    addresses: createAddresses(['192.0.2.0/24']),
    handle: () => undefined,
    onBound: (bound) => met.push(bound),
  });
  const open = (address: string, count = 1) =>
    Array.from({ length: count }, () => {
      const socket = new FakeSocket(address);
      connections.accept(socket as unknown as Socket);
      return socket;
    });
  const ask = (socket: FakeSocket) => {
    const request = { socket, headers: {}, complete: true } as unknown as IncomingMessage;
    connections.handle(request, { req: request, socket } as unknown as ResponseWithDefaults);
  };
  const alive = (sockets: FakeSocket[]) => sockets.filter(({ destroyed }) => !destroyed).length;
  return { connections, open, ask, alive, met };
}

describe('connections of a full replica', () => {
  it('close at the address with most of them, the longest idle one first', () => {
    const { open, ask, alive, met } = replica();
    const owner = open('203.0.113.9', 3);
    const crowds = [1, 2, 3, 4].map((i) => open(`203.0.113.${i}`, 1_000));
    const most = open('203.0.113.5', 997);
    const [busy, oldest] = crowds[0] ?? [];
    if (busy) ask(busy);
    assert.deepEqual([alive([...owner, ...crowds.flat(), ...most]), met], [5_000, []]);

    const [guest] = open('198.51.100.1');
    assert.deepEqual(met, ['connections']);
    assert.equal(guest?.destroyed, false);
    assert.deepEqual([busy?.destroyed, oldest?.destroyed], [false, true]);
    assert.equal(alive(owner), 3);
    assert.equal(alive([guest as FakeSocket, ...owner, ...crowds.flat(), ...most]), 5_000);
  });

  it('do not close while they are being answered', () => {
    const { open, ask, alive } = replica();
    const crowds = [1, 2, 3, 4, 5].map((i) => open(`203.0.113.${i}`, 1_000));
    crowds.flat().forEach(ask);
    const [guest] = open('198.51.100.1');
    assert.equal(guest?.destroyed, true);
    assert.equal(alive(crowds.flat()), 5_000);
  });

  it('are idle again after their answer', () => {
    const { connections, open, ask } = replica();
    const crowd = open('203.0.113.1', 1_000);
    crowd.forEach(ask);
    const last = crowd.at(-1) as FakeSocket;
    connections.onResponseClosed(last as unknown as Socket);
    const [next] = open('203.0.113.1');
    assert.deepEqual([next?.destroyed, last.destroyed], [false, true]);
    const [another] = open('203.0.113.1');
    assert.deepEqual([another?.destroyed, next?.destroyed], [false, true]);
  });

  it('never close for a trusted proxy, which may hold all of them', () => {
    const { open, alive } = replica();
    const proxied = open('192.0.2.1', 5_000);
    const [guest] = open('203.0.113.1');
    assert.deepEqual([alive(proxied), guest?.destroyed], [5_000, true]);
  });

  it('count together for one IPv6 network, and only while they are open', () => {
    const { open, alive, met } = replica();
    const network = Array.from({ length: 1_000 }, (_, i) => open(`2001:db8:1:2::${i.toString(16)}`)).flat();
    const [next] = open('2001:db8:1:2:ffff::1');
    assert.deepEqual([met, alive(network), next?.destroyed], [['connectionsPerAddress'], 999, false]);
    for (const socket of network.slice(1, 11)) socket.destroy();
    open('2001:db8:1:2::5', 10);
    assert.equal(met.length, 1);
  });
});
