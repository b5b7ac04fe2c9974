import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { sessionKeys } from '../../../src/contract/keys.js';
import { type Capability, capabilityNames, type PageStatus } from '../../../src/contract/page.js';
import { sessionStates } from '../../../src/contract/status.js';
import { type CommandStage, startCommandStage } from '../../support/command-stage.js';
import { eventually } from '../../support/eventually.js';
import { linkedAccount as account } from '../../support/held-session.js';
import { type MetricsText, scrape } from '../../support/metrics.js';

const keys = sessionKeys('default');

function pageOf(change: Partial<PageStatus> = {}, broken: Record<string, Capability> = {}): PageStatus {
  const all = Object.fromEntries(capabilityNames.map((name) => [name, 'ok']));
  return {
    version: '2.3000.1043121234',
    capabilities: { ...all, ...broken } as PageStatus['capabilities'],
    repairs: ['message-key', 'refresh-qr'],
    problem: null,
    ...change,
  };
}

describe('what metrics tell of the page of WhatsApp Web', () => {
  let stage: CommandStage;

  before(async () => {
    stage = await startCommandStage();
  });
  afterEach(() => stage.clear());
  after(() => stage.close());

  const render = async () => (await stage.replica.get('/metrics')).text();
  const metrics = () => scrape(render);
  const ofPage = ({ series }: MetricsText) =>
    series.filter(({ name }) => name.startsWith('holdline_page_')).map(({ name }) => name);

  it('is each capability as a number, the version and the repairs', async () => {
    const { run } = await stage.held();
    const page = pageOf({}, { media: 'degraded', chats: 'broken' });
    await run.publish('ready', { account, page });
    const told = await metrics();
    assert.deepEqual(
      capabilityNames.map((capability) =>
        told.value('holdline_page_capability', { session: 'default', capability }),
      ),
      capabilityNames.map((name) => ({ chats: 0, media: 1 })[name as string] ?? 2),
    );
    assert.equal(told.value('holdline_page_info', { session: 'default', version: '2.3000.1043121234' }), 1);
    for (const repair of page.repairs) {
      assert.equal(told.value('holdline_page_repair', { session: 'default', repair }), 1);
    }
    assert.equal(ofPage(told).length, capabilityNames.length + 1 + page.repairs.length);
  });

  it('is of the page of now: what was is not told beside it', async () => {
    const { run } = await stage.held();
    await run.publish('ready', { account, page: pageOf() });
    await metrics();
    await run.publish('ready', { account, page: pageOf({ version: null, repairs: [] }) });
    const told = await metrics();
    assert.deepEqual(
      told.series.filter(({ name }) => /_(info|repair)$/.test(name) && name.includes('_page_')),
      [{ name: 'holdline_page_info', labels: { session: 'default', version: '' }, value: 1 }],
    );
    await run.publish('authenticated', { account, page: null });
    assert.deepEqual(ofPage(await metrics()), []);
  });

  it('is absent before any run, and of a page whose supervisor is gone', async () => {
    assert.deepEqual(ofPage(await metrics()), []);
    const { run } = await stage.held();
    await run.publish('ready', { account, page: pageOf() });
    await run.fallSilent();
    const told = await metrics();
    assert.deepEqual(ofPage(told), []);
    assert.equal(told.value('holdline_session_state', { state: 'disconnected' }), 1);
  });

  it('has labels of a bounded length, whatever the page calls itself', async () => {
    const { run } = await stage.held();
    await run.publish('ready', { account, page: pageOf({ version: `2.3000\n"}${'9'.repeat(9_999)}` }) });
    await eventually(async () => {
      const line = (await render()).split('\n').find((each) => each.startsWith('holdline_page_info')) ?? '';
      assert.match(line, /^holdline_page_info\{session="default",version="2\.3000\\n\\"}9{55}"\} 1$/);
      return true;
    });
  });

  it('the passkey that is asked for is a state as the others are', async () => {
    const { run } = await stage.held();
    await run.publish('passkey_required', { lastError: 'WhatsApp asks for a passkey' });
    const told = await metrics();
    const on = sessionStates.filter((state) => told.value('holdline_session_state', { state }) === 1);
    assert.deepEqual(on, ['passkey_required']);
    assert.equal(
      sessionStates.length,
      told.series.filter(({ name }) => name === 'holdline_session_state').length,
    );
  });

  for (const [what, stored] of [
    ['is no JSON', '{"state":'],
    ['is of a state that nobody knows', '{"state":"dancing"}'],
  ] as const) {
    it(`a status that ${what} costs its own metrics only`, async () => {
      const { run } = await stage.held();
      await run.publish('ready', { account });
      await stage.redis.set(keys.state, stored);
      await stage.redis.set(keys.backupStatus, JSON.stringify({ enabled: true, reason: null }));
      const told = await metrics();
      assert.deepEqual(ofPage(told), []);
      for (const name of ['state', 'epoch', 'incarnation']) {
        assert.equal(told.value(`holdline_session_${name}`), undefined, name);
      }
      assert.equal(told.value('holdline_redis_up'), 1);
      assert.equal(told.value('holdline_session_owned'), 1);
      assert.equal(told.value('holdline_session_backup_ok'), 1);
      assert.equal(told.value('holdline_supervisors'), 1);
      assert.equal(told.value('holdline_commands_queued', { queue: 'sends', status: 'waiting' }), 0);
    });
  }

  it('a page of another shape costs the metrics of the page only', async () => {
    const { run } = await stage.held();
    await run.publish('ready', { account });
    const odd = { ...(await stage.replica.status()), page: { version: 5 } };
    await stage.redis.set(keys.state, JSON.stringify(odd));
    const told = await metrics();
    assert.deepEqual(ofPage(told), []);
    assert.equal(told.value('holdline_session_state', { state: 'ready' }), 1);
  });

  it('what is told of the backup costs its own metrics only, too', async () => {
    const { run } = await stage.held();
    await run.publish('ready', { account, page: pageOf() });
    await stage.redis.set(keys.backupStatus, 'no JSON');
    const told = await metrics();
    assert.equal(told.value('holdline_session_backup_ok'), undefined);
    assert.equal(told.value('holdline_page_capability', { capability: 'send' }), 2);
  });
});
