import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { measureMessages } from '../../bench/scale/messages.js';
import { measureScripted, type ScriptedResult } from '../../bench/scale/scripted.js';
import { messageFigures, scaleTable, scriptedFigures } from '../../bench/scale/table.js';
import { assertNothingLeft } from '../../support/leftovers.js';
import { scaledTiming } from '../../support/scaled-timing.js';

/** `npm run bench:scale` in small. What it measures depends on the machine; that it measures at all does not. */

after(assertNothingLeft);

test('the benchmark of many sessions starts, measures and ends a deployment', async () => {
  const lines: string[] = [];
  const result: ScriptedResult = await measureScripted({
    ...{ sessions: 6, supervisors: 3, idleSeconds: 2, settleSeconds: 0, listCalls: 5, timeoutMs: 120_000 },
    timing: { ...scaledTiming, httpCommandTimeoutMs: 10_000, loopHungAfterMs: 60_000 },
    log: (line) => void lines.push(line),
  });
  const { list, idle, supervisor, killed, stopped } = result;
  assert.equal(list.ms.length, 5);
  assert.ok(list.bytes > 6 * 500, 'the list has the status of each session');
  assert.ok(idle.commandsSent > 0 && idle.commandsRun > idle.commandsSent, JSON.stringify(idle));
  assert.ok(supervisor.sessions >= 2 && supervisor.connections > 0, JSON.stringify(supervisor));
  assert.equal(supervisor.children, 2 * supervisor.sessions, 'a browser and a watchdog for each session');
  for (const { sessions, claimedMs, readyMs, gained } of [killed, stopped]) {
    assert.ok(sessions > 0);
    assert.equal(claimedMs.length, sessions);
    assert.equal(readyMs.length, sessions);
    assert.equal(
      gained.reduce((sum, count) => sum + count, 0),
      sessions,
      'each came to one of the others',
    );
  }
  assert.ok((killed.claimedMs[0] ?? 0) > 0);
  assert.equal(stopped.gained[0], stopped.sessions, 'only one supervisor is left');

  const table = scaleTable(scriptedFigures(result));
  assert.doesNotMatch(table, /NaN|undefined|Infinity/);
  assert.match(table, /commands sent to Redis, per idle session and second/);
});

test('it measures what Redis does for a send and for an event', async () => {
  const result = await measureMessages({ sends: 20, events: 100, idleSeconds: 1, log: () => undefined });
  const { send, event, eventBytes } = result;
  assert.ok(send.commandsSent >= 3 && send.commandsRun > send.commandsSent, JSON.stringify(send));
  // The script, and what it does; how much else was counted meanwhile depends on the machine.
  assert.ok(event.commandsSent >= 0.5 && event.commandsRun > event.commandsSent, JSON.stringify(event));
  assert.ok(eventBytes > 300, String(eventBytes));
  assert.doesNotMatch(scaleTable(messageFigures(result)), /NaN|undefined|Infinity/);
});
