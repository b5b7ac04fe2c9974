import assert from 'node:assert/strict';
import { after, afterEach, before, describe, it } from 'node:test';
import { sessionKeys } from '../../../../src/contract/keys.js';
import { type Capability, capabilityNames, type PageStatus } from '../../../../src/contract/page.js';
import { sessionStates } from '../../../../src/contract/status.js';
import { type CommandStage, startCommandStage } from '../../../support/command-stage.js';
import { eventually } from '../../../support/eventually.js';
import { linkedAccount as account } from '../../../support/held-session.js';
import { type MetricsText, scrape } from '../../../support/metrics.js';

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

describe('the metrics of the page of WhatsApp Web', () => {
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

  it('are each capability as a number, the version and the repairs', async () => {
    const { run } = await stage.held();
    const page = pageOf({}, { media: 'degraded', chats: 'broken' });
    await run.publish('ready', { account, page });
    const scraped = await metrics();
    assert.deepEqual(
      capabilityNames.map((capability) =>
        scraped.value('holdline_page_capability', { session: 'default', capability }),
      ),
      capabilityNames.map((name) => ({ chats: 0, media: 1 })[name as string] ?? 2),
    );
    assert.equal(
      scraped.value('holdline_page_info', { session: 'default', version: '2.3000.1043121234' }),
      1,
    );
    for (const repair of page.repairs) {
      assert.equal(scraped.value('holdline_page_repair', { session: 'default', repair }), 1);
    }
    assert.equal(ofPage(scraped).length, capabilityNames.length + 1 + page.repairs.length);
  });

  it('are those of the current page only', async () => {
    const { run } = await stage.held();
    await run.publish('ready', { account, page: pageOf() });
    await metrics();
    await run.publish('ready', { account, page: pageOf({ version: null, repairs: [] }) });
    const scraped = await metrics();
    assert.deepEqual(
      scraped.series.filter(({ name }) => /_(info|repair)$/.test(name) && name.includes('_page_')),
      [{ name: 'holdline_page_info', labels: { session: 'default', version: '' }, value: 1 }],
    );
    await run.publish('authenticated', { account, page: null });
    assert.deepEqual(ofPage(await metrics()), []);
  });

  it('are absent before the first run and when the supervisor is gone', async () => {
    assert.deepEqual(ofPage(await metrics()), []);
    const { run } = await stage.held();
    await run.publish('ready', { account, page: pageOf() });
    await run.fallSilent();
    const scraped = await metrics();
    assert.deepEqual(ofPage(scraped), []);
    assert.equal(scraped.value('holdline_session_state', { state: 'disconnected' }), 1);
  });

  it('have labels of bounded length', async () => {
    const { run } = await stage.held();
    await run.publish('ready', { account, page: pageOf({ version: `2.3000\n"}${'9'.repeat(9_999)}` }) });
    await eventually(async () => {
      const line = (await render()).split('\n').find((each) => each.startsWith('holdline_page_info')) ?? '';
      assert.match(line, /^holdline_page_info\{session="default",version="2\.3000\\n\\"}9{55}"\} 1$/);
      return true;
    });
  });

  it('have passkey_required as a state', async () => {
    const { run } = await stage.held();
    await run.publish('passkey_required', { lastError: 'WhatsApp asks for a passkey' });
    const scraped = await metrics();
    const on = sessionStates.filter((state) => scraped.value('holdline_session_state', { state }) === 1);
    assert.deepEqual(on, ['passkey_required']);
    assert.equal(
      sessionStates.length,
      scraped.series.filter(({ name }) => name === 'holdline_session_state').length,
    );
  });

  for (const [what, stored] of [
    ['is not JSON', '{"state":'],
    ['has an unknown state', '{"state":"dancing"}'],
  ] as const) {
    it(`are the only ones missing, with those of the state, when the status ${what}`, async () => {
      const { run } = await stage.held();
      await run.publish('ready', { account });
      await stage.redis.set(keys.state, stored);
      await stage.redis.set(keys.backupStatus, JSON.stringify({ enabled: true, reason: null }));
      const scraped = await metrics();
      assert.deepEqual(ofPage(scraped), []);
      for (const name of ['state', 'epoch', 'incarnation']) {
        assert.equal(scraped.value(`holdline_session_${name}`), undefined, name);
      }
      assert.equal(scraped.value('holdline_redis_up'), 1);
      assert.equal(scraped.value('holdline_session_owned'), 1);
      assert.equal(scraped.value('holdline_session_backup_ok'), 1);
      assert.equal(scraped.value('holdline_supervisors'), 1);
      assert.equal(scraped.value('holdline_commands_queued', { queue: 'sends', status: 'waiting' }), 0);
    });
  }

  it('are the only ones missing when the page has another shape', async () => {
    const { run } = await stage.held();
    await run.publish('ready', { account });
    const malformed = { ...(await stage.replica.status()), page: { version: 5 } };
    await stage.redis.set(keys.state, JSON.stringify(malformed));
    const scraped = await metrics();
    assert.deepEqual(ofPage(scraped), []);
    assert.equal(scraped.value('holdline_session_state', { state: 'ready' }), 1);
  });

  it('are served when the backup status is unreadable', async () => {
    const { run } = await stage.held();
    await run.publish('ready', { account, page: pageOf() });
    await stage.redis.set(keys.backupStatus, 'no JSON');
    const scraped = await metrics();
    assert.equal(scraped.value('holdline_session_backup_ok'), undefined);
    assert.equal(scraped.value('holdline_page_capability', { capability: 'send' }), 2);
  });
});
