import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { Redis } from 'ioredis';
import { eventIndexKey, sessionKeys } from '../../../../src/contract/keys.js';
import { type EventClient, listenToEvents, type ReceivedEvent } from '../../../support/event-client.js';
import { claimToWrite } from '../../../support/event-writer.js';
import {
  boundToHeader,
  type EventsServer,
  guestHeader,
  startEventsServer,
} from '../../../support/events-server.js';
import { eventually } from '../../../support/eventually.js';
import { openRedis, type RedisForData } from '../../../support/shared-redis.js';

describe('GET /api/events?sessions=', () => {
  let server: RedisForData;
  let redis: Redis;
  let served: EventsServer;
  let other: EventsServer;
  const clients: EventClient[] = [];

  before(async () => {
    server = await openRedis();
    redis = new Redis(server.url);
  });
  beforeEach(async () => {
    await redis.flushdb();
    [served, other] = [
      await startEventsServer(server.url, redis),
      await startEventsServer(server.url, redis),
    ];
    for (const each of [served, other]) for (const name of ['a', 'b', 'c']) each.sessions.add(name);
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await Promise.all([served.close(), other.close()]);
  });
  after(async () => {
    redis.disconnect();
    await server.stop();
  });

  async function listen(
    sessions: string,
    options: Parameters<typeof listenToEvents>[1] = {},
    on = served,
  ): Promise<EventClient> {
    const client = await listenToEvents(on.url, { query: `?sessions=${sessions}`, ...options });
    assert.equal(client.status, 200);
    clients.push(client);
    return client;
  }

  /** Entries of the index of these sessions, or of all. */
  async function indexed(...sessions: string[]): Promise<string[]> {
    const entries = await redis.xrange(eventIndexKey, '-', '+');
    const wanted = entries.filter(([, [, of = '']]) => sessions.length === 0 || sessions.includes(of));
    return wanted.map(([id]) => id);
  }

  const claim = (session: string) => claimToWrite(redis, session);
  const eventsOf = (session: string) => sessionKeys(session).events;

  it('sends the events of the list, each under one id, in one order', async () => {
    const [a, b, c] = await Promise.all(['a', 'b', 'c'].map(claim));
    const [two, all, alone] = [await listen('a,b'), await listen('*', {}, other), await listen('c')];
    for (let n = 0; n < 20; n++) {
      await Promise.all([a?.messages(`${n}`), b?.messages(`${n}`, `${n}+`), c?.messages(`${n}`)]);
    }
    assert.deepEqual(ids(await two.untilCount(60)), await indexed('a', 'b'));
    assert.deepEqual(ids(await all.untilCount(80)), await indexed());
    assert.deepEqual(ids(await alone.untilCount(20)), await indexed('c'));
    assert.deepEqual(new Set(two.events.map(({ body }) => body.session)), new Set(['a', 'b']));
    const expected = Array.from({ length: 20 }, (_, n) => [`${n}`, `${n}+`]).flat();
    assert.deepEqual(bodies(two.events, 'b'), expected, 'the order within a session');
    assert.deepEqual(bodies(all.events, 'b'), expected);
  });

  it('follows the one session of a path, and default without a path or a list', async () => {
    const [a, standard] = [await claim('a'), await claim('default')];
    const inPath = await listen('', { path: '/api/sessions/a/events', query: '' });
    const plain = await listen('', { query: '' });
    await a.messages('of a');
    await standard.messages('of default');
    assert.deepEqual(bodies(await inPath.untilCount(1)), ['of a']);
    assert.deepEqual(bodies(await plain.untilCount(1)), ['of default']);
    const resumed = await listen('', {
      ...{ path: '/api/sessions/a/events', query: '' },
      lastEventId: inPath.lastEventId,
    });
    await a.messages('more of a');
    assert.deepEqual(bodies(await resumed.untilCount(1)), ['more of a']);
  });

  it('resumes after any event, also within a millisecond, on any replica', async () => {
    const [a, b, c] = await Promise.all(['a', 'b', 'c'].map(claim));
    await Promise.all([a, b, c, a, b].map((each, n) => each?.messages(`${n}`, `${n}+`, `${n}++`)));
    const all = await indexed();
    const milliseconds = new Set(all.map((id) => id.split('-')[0]));
    assert.ok(milliseconds.size < all.length, 'the control: some share a millisecond');
    for (const [n, lastEventId] of all.slice(0, -3).entries()) {
      const on = n % 2 ? served : other;
      const [every, two] = [await listen('*', { lastEventId }, on), await listen('a,b', { lastEventId }, on)];
      const later = all.slice(n + 1);
      assert.deepEqual(ids(await every.untilCount(later.length)), later);
      const ofTwo = (await indexed('a', 'b')).filter((id) => later.includes(id));
      assert.deepEqual(ids(await two.untilCount(ofTwo.length)), ofTwo);
      every.close();
      two.close();
    }
  });

  it('resumes without loss or duplicate while events keep coming', async () => {
    const names = ['a', 'b', 'c', 'default'];
    const writers = await Promise.all(names.map(claim));
    let isWriting = true;
    const first = await listen('*');
    const writing = writers.map(async (writer) => {
      for (let n = 0; isWriting; n++) await writer.messages(`${n}`, `${n}+`);
    });
    await first.untilCount(60);
    first.close();
    const { lastEventId } = first;
    const resumed = await Promise.all(
      ['*', 'a,b', 'default', 'c,default'].flatMap((sessions) =>
        [served, other].map(async (on) => ({
          sessions,
          client: await listen(sessions, { lastEventId }, on),
        })),
      ),
    );
    await resumed[0]?.client.untilCount(300);
    isWriting = false;
    await Promise.all(writing);
    for (const { sessions, client } of resumed) {
      const wanted = await indexed(...(sessions === '*' ? [] : sessions.split(',')));
      const rest = wanted.filter((id) => isLater(id, lastEventId ?? ''));
      assert.deepEqual(ids(await client.untilCount(rest.length)), rest, sessions);
    }
    assert.deepEqual(ids(first.events), (await indexed()).slice(0, first.events.length));
  });

  it('sends every event to a client that comes while events of its session come', async () => {
    const [a, b] = [await claim('a'), await claim('b')];
    await listen('a');
    let isWriting = true;
    const writing = [a, b].map(async (writer) => {
      for (let n = 0; isWriting; n++) await writer.messages(`${n}`);
    });
    try {
      for (let n = 0; n < 40; n++) {
        const client = await listen('b');
        const events = [...(await client.untilCount(30))];
        const stored = await indexed('b');
        const from = stored.indexOf(events[0]?.id ?? '');
        assert.ok(from >= 0);
        assert.deepEqual(ids(events), stored.slice(from, from + events.length));
        const opening = /^id: (.*)$/m.exec(client.blocks[0] ?? '')?.[1] ?? '';
        assert.equal(stored[from - 1], opening, 'the first event is the next one after the position');
        client.close();
      }
    } finally {
      isWriting = false;
      await Promise.all(writing);
    }
  });

  it('sends a gap of all sessions first when the index does not reach back, then the oldest', async () => {
    const [a, b] = [await claim('a'), await claim('b')];
    for (let n = 0; n < 3; n++) for (const writer of [a, b]) await writer.messages(`${n}`);
    const [lastEventId = '', ...later] = await indexed();
    await redis.xtrim(eventIndexKey, 'MAXLEN', '=', 3);
    const [gap, ...rest] = await (await listen('*', { lastEventId })).untilCount(4);
    assert.deepEqual([gap?.type, gap?.id, gap?.body.session], ['gap', null, '*']);
    assert.deepEqual(gap?.body.data, { oldest_id: later[2] });
    assert.deepEqual(ids(rest), later.slice(2));
    const listed = await (await listen('a,b', { lastEventId })).untilCount(5);
    assert.deepEqual(ids(listed), later, 'a list needs only the streams of its sessions');
    const whole = await (await listen('*', { lastEventId: later[2] ?? null })).untilCount(2);
    assert.deepEqual(ids(whole), later.slice(3), 'the control');
  });

  it('sends one gap of a session whose events are no longer kept, and goes on', async () => {
    const [a, b] = [await claim('a'), await claim('b')];
    await b.messages('first');
    for (let n = 0; n < 10; n++) for (const writer of [a, b]) await writer.messages(`${n}`);
    const [lastEventId = ''] = await indexed();
    await redis.xtrim(eventsOf('a'), 'MAXLEN', '=', 2);
    const [oldest_id] = (await redis.xrange(eventsOf('a'), '-', '+')).map(([id]) => id);
    for (const sessions of ['*', 'a,b']) {
      const events = await (await listen(sessions, { lastEventId })).untilCount(13);
      const gaps = events.filter(({ type }) => type === 'gap');
      assert.deepEqual(
        gaps.map(({ body }) => [body.session, body.data]),
        [['a', { oldest_id }]],
        sessions,
      );
      assert.deepEqual(bodies(events, 'a'), ['8', '9']);
      assert.deepEqual(
        bodies(events, 'b'),
        Array.from({ length: 10 }, (_, n) => `${n}`),
      );
      assert.ok(
        events.indexOf(gaps[0] as ReceivedEvent) <
          events.findIndex(({ body }) => body.session === 'a' && body.type === 'message'),
      );
    }
    const only = await (await listen('b', { lastEventId })).untilCount(10);
    assert.ok(
      only.every(({ type }) => type === 'message'),
      'no gap for who does not follow it',
    );
    await redis.del(eventsOf('a'));
    const emptied = await (await listen('*', { lastEventId })).untilCount(11);
    assert.deepEqual(
      emptied.filter(({ type }) => type === 'gap').map(({ body }) => body.data),
      [{ oldest_id: null }],
    );
  });

  it('sends a gap when Redis has lost its data, and goes on', async () => {
    const [a, b] = [await claim('a'), await claim('b')];
    const live = await Promise.all([listen('*'), listen('a,b'), listen('b')]);
    await a.messages('1');
    await b.messages('1');
    await Promise.all(live.map((client, n) => client.untilCount(n === 2 ? 1 : 2)));
    const { lastEventId } = live[0] as EventClient;
    await redis.flushdb();
    const resumed = await listen('*', { lastEventId }, other);
    for (const client of [...live, resumed]) {
      await eventually(() => client.events.at(-1)?.type === 'gap', { message: 'a gap' });
      assert.deepEqual(client.events.at(-1)?.body.data, { oldest_id: null });
    }
    assert.deepEqual(
      [...live, resumed].map((client) => client.events.at(-1)?.body.session),
      ['*', '*', 'b', '*'],
    );
    await (await claim('b')).messages('2');
    for (const client of [...live, resumed]) {
      await eventually(() => client.events.at(-1)?.type === 'message');
      assert.deepEqual(bodies(client.events.slice(-1)), ['2']);
      assert.equal(client.events.at(-2)?.type, 'gap');
    }
  });

  it('tells a bound caller by no gap when others have events', async () => {
    const [own, others] = [await claim('own'), await claim('others')];
    await own.messages('mine');
    const [lastId = ''] = await indexed('own').then((ids) => ids.slice(-1));
    const later = `${Number(lastId.split('-')[0]) + 1}-0`;
    const headers = { [boundToHeader]: 'own' };
    const firstTypes = async (lastEventId: string) => {
      const client = await listen('*', { lastEventId, headers });
      await own.messages('more');
      await eventually(() => client.events.some(({ type }) => type === 'message'));
      return client.events.map(({ type }) => type);
    };
    const before = await firstTypes(later);
    await others.messages('not mine');
    const [end = ''] = await indexed('own').then((ids) => ids.slice(-1));
    const after = await firstTypes(`${Number(end.split('-')[0]) + 1}-0`);
    assert.deepEqual([before[0], after[0]], ['gap', 'gap']);
    assert.deepEqual(await firstTypes((await indexed('own')).at(-1) ?? ''), ['message'], 'nothing is lost');
  });

  it('sends the events of default that an earlier version wrote, which are not in the index', async () => {
    const writeAsBefore = (body: string) => {
      const event = JSON.stringify({ type: 'message', session: 'default', at: '', data: { body } });
      return redis.xadd(eventsOf('default'), '*', 'type', 'message', 'event', event, 'total', event.length);
    };
    const start = await writeAsBefore('before any index');
    const before = await Promise.all([listen('*'), listen('a,default'), listen('default')]);
    await writeAsBefore('1');
    const a = await claim('a');
    await a.messages('2');
    await eventually(() => before[0]?.events.length === 2);
    await writeAsBefore('3');
    await a.messages('4');
    await (await claim('default')).messages('5');
    const expected = ['1', '2', '3', '4', '5'];
    for (const client of before.slice(0, 2)) assert.deepEqual(bodies(await client.untilCount(5)), expected);
    assert.deepEqual(bodies(await (before[2] as EventClient).untilCount(3)), ['1', '3', '5']);
    for (const sessions of ['*', 'a,default']) {
      const resumed = await listen(sessions, { lastEventId: start }, other);
      const events = await resumed.untilCount(5);
      // Two of the same millisecond have one id, so their order is not known. It is within a session.
      const of = (name: string) => bodies(events.filter(({ body }) => body.session === name));
      assert.deepEqual(
        [of('default'), of('a')],
        [
          ['1', '3', '5'],
          ['2', '4'],
        ],
        `resumed, ${sessions}`,
      );
    }
    const alone = await listen('default', { lastEventId: start }, other);
    assert.deepEqual(bodies(await alone.untilCount(3)), ['1', '3', '5']);
  });

  it('sends events of default under an id that another session has, or that is older than the last one', async () => {
    const writeAsBefore = (id: string, body: string) => {
      const event = JSON.stringify({ type: 'message', session: 'default', at: '', data: { body } });
      return redis.xadd(eventsOf('default'), id, 'type', 'message', 'event', event, 'total', event.length);
    };
    const a = await claim('a');
    await a.messages('0');
    const [start = ''] = await indexed();
    const live = await Promise.all([listen('*'), listen('a,default'), listen('default'), listen('a')]);
    await a.messages('1', '2');
    await Promise.all([live[0]?.untilCount(2), live[1]?.untilCount(2)]);
    const [, one = '', two = ''] = await indexed();
    await writeAsBefore(one, 'as 1');
    await writeAsBefore(two, 'as 2');
    await a.messages('3');
    for (const client of live.slice(0, 2)) {
      assert.deepEqual(bodies(await client.untilCount(5)).sort(), ['1', '2', '3', 'as 1', 'as 2']);
      const late = client.events.filter(({ body }) => body.session === 'default');
      assert.deepEqual(ids(late), [null, null], 'a client that comes back has not to go back');
      assert.equal(client.lastEventId, (await indexed()).at(-1));
    }
    assert.deepEqual(ids(await (live[2] as EventClient).untilCount(2)), [one, two], 'alone, as always');
    assert.deepEqual(bodies(await (live[3] as EventClient).untilCount(3)), ['1', '2', '3']);
    const resumed = await Promise.all(
      ['*', 'a,default'].map((sessions) => listen(sessions, { lastEventId: start })),
    );
    for (const client of resumed) await client.untilCount(5);
    await a.messages('4');
    for (const client of resumed) {
      await eventually(() => bodies(client.events).at(-1) === '4');
      assert.deepEqual(bodies(client.events).sort(), ['1', '2', '3', '4', 'as 1', 'as 2'], 'each once');
    }
  });

  it('with * sends events of a session that is made later', async () => {
    const client = await listen('*');
    served.sessions.add('later');
    await (await claim('later')).publish({ state: 'ready' });
    const [event] = await client.untilCount(1);
    assert.deepEqual([event?.type, event?.body.session], ['state', 'later']);
    await redis.del(sessionKeys('later').heartbeat);
    await client.untilCount(2);
    assert.deepEqual(states(client, 'later'), ['ready', 'disconnected']);
  });

  it('never shows a bound caller an event, an id or a gap of another session', async () => {
    const [a, b, c] = await Promise.all(['a', 'b', 'c'].map(claim));
    await a?.messages('first');
    await c?.messages('secret');
    const headers = { [boundToHeader]: 'a,b' };
    const live = [
      await listen('*', { headers }),
      await listen('a', { headers }),
      await listen('a,b', { headers }),
    ];
    for (let n = 0; n < 10; n++)
      await Promise.all([a?.messages(`${n}`), c?.messages('secret'), b?.messages(`${n}`)]);
    await c?.publish({ state: 'ready' });
    await redis.del(sessionKeys('c').heartbeat);
    await redis.xtrim(eventsOf('c'), 'MAXLEN', '=', 1);
    const [first = ''] = await indexed('a');
    await redis.xtrim(eventIndexKey, 'MAXLEN', '=', 3);
    const resumed = [
      await listen('*', { headers, lastEventId: first }),
      await listen('*', { headers, lastEventId: '1-0' }),
    ];
    const clientsOfA = [...live, ...resumed];
    for (const client of clientsOfA) {
      await eventually(() => bodies(client.events, 'a').includes('9'));
      const pings = () => client.blocks.filter((block) => block.startsWith(': ping')).length;
      const before = pings();
      await eventually(() => pings() > before + 1);
    }
    const others = new Set((await redis.xrange(eventsOf('c'), '-', '+')).map(([id]) => id));
    for (const id of await indexed('c')) others.add(id);
    const known = new Set([...(await stored('a')), ...(await stored('b'))]);
    for (const client of clientsOfA) {
      assert.doesNotMatch(client.text, /secret|"session":"c"/);
      for (const [, id = ''] of client.text.matchAll(/(?:id: |oldest_id":")(\d+-\d+)/g)) {
        assert.ok(known.has(id) && !others.has(id), `${id} is of a or b`);
      }
    }
    const control = await listen('*', { lastEventId: first });
    await eventually(() => states(control, 'c').includes('ready'), { message: 'the control' });
    const refused = await fetch(`${served.url}/api/events?sessions=a,c`, { headers });
    assert.equal(refused.status, 404);
    const unknown = await fetch(`${served.url}/api/events?sessions=a,nobody`, { headers });
    assert.equal(await refused.text(), await unknown.text());
  });

  it('sends that an owner is gone to who follows its session', async () => {
    const [a, b] = [await claim('a'), await claim('b')];
    for (const writer of [a, b]) await writer.publish({ state: 'ready' });
    const [both, all, onlyB] = [await listen('a,b'), await listen('*'), await listen('b')];
    await redis.del(sessionKeys('a').heartbeat);
    for (const client of [both, all]) {
      await eventually(() => states(client, 'a').at(-1) === 'disconnected');
      assert.equal(client.events.at(-1)?.id, null);
    }
    const back = await listen('a,b', { lastEventId: both.lastEventId });
    await eventually(() => states(back, 'a').at(-1) === 'disconnected');
    const fresh = await listen('a,b');
    await b.messages('later');
    for (const client of [both, all, onlyB, back, fresh]) {
      await eventually(() => client.events.at(-1)?.type === 'message');
    }
    assert.deepEqual(states(onlyB, 'a'), []);
    assert.deepEqual(states(fresh, 'a'), [], 'a new client asks for the status');
  });

  for (const sessions of [
    ...['', 'a,', ',a', 'a,a', 'a,*', 'A', 'a_b', 'a b', '**', 'x'.repeat(65)],
    Array.from({ length: 101 }, (_, n) => `s${n}`).join(','),
  ]) {
    it(`refuses sessions=${sessions.slice(0, 20)}`, async () => {
      const response = await fetch(`${served.url}/api/events?sessions=${encodeURIComponent(sessions)}`);
      const { error } = (await response.json()) as { error: { code: string; message: string } };
      assert.deepEqual([response.status, error.code], [400, 'invalid_request']);
      assert.match(error.message, /sessions.*at most 100 different names of a-z, 0-9 and -/);
    });
  }

  it('refuses a list at the path of a session, and to a guest', async () => {
    const inPath = await fetch(`${served.url}/api/sessions/a/events?sessions=a`);
    assert.equal(inPath.status, 400);
    const guest = await fetch(`${served.url}/api/events?sessions=*`, { headers: { [guestHeader]: 'yes' } });
    assert.equal(guest.status, 403);
    const names = Array.from({ length: 100 }, (_, n) => `s${n}`);
    for (const name of names) served.sessions.add(name);
    await listen(names.join(','));
  });

  async function stored(session: string): Promise<string[]> {
    return (await redis.xrange(eventsOf(session), '-', '+')).map(([id]) => id);
  }
});

function ids(events: readonly ReceivedEvent[]): (string | null)[] {
  return events.map(({ id }) => id);
}

function ofSession(events: readonly ReceivedEvent[], session?: string): readonly ReceivedEvent[] {
  return events.filter(({ body }) => session === undefined || body.session === session);
}

function bodies(events: readonly ReceivedEvent[], session?: string): string[] {
  const messages = ofSession(events, session).filter(({ type }) => type === 'message');
  return messages.map(({ body }) => (body.data as { body: string }).body);
}

function states(client: EventClient, session: string): string[] {
  const changes = ofSession(client.events, session).filter(({ type }) => type === 'state');
  return changes.map(({ body }) => (body.data as { state: string }).state);
}

function isLater(id: string, than: string): boolean {
  const [ms = 0, number = 0] = id.split('-').map(Number);
  const [otherMs = 0, otherNumber = 0] = than.split('-').map(Number);
  return ms === otherMs ? number > otherNumber : ms > otherMs;
}
