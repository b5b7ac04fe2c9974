import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { pageNeeds } from '../../../src/contract/page-needs.js';
import { JUNE, type PageSettings, TODAY } from '../../whatsapp-web/index.js';
import { loadPageModules, memberOf } from '../../whatsapp-web/page-modules.js';

/** The stand-in's page offers no name that the real page does not export. */

interface KnownExports {
  readonly revision: string;
  readonly modules: Readonly<Record<string, readonly string[] | null>>;
}

const known: KnownExports = JSON.parse(
  await readFile(join(import.meta.dirname, '../../../../src/page-contract/known-exports.json'), 'utf8'),
);

/** The real page exports this module as one object; the list of exports does not have its members. */
const realCollections = [
  'Msg',
  'Chat',
  'Contact',
  'Blocklist',
  'BusinessProfile',
  'WAWebGroupMetadataCollection',
  'WAWebNewsletterCollection',
  'WAWebNewsletterMetadataCollection',
];

async function strangersOf(page: PageSettings): Promise<string[]> {
  const modules = await loadPageModules(page);
  return Object.entries(modules).flatMap(([name, module]) => {
    const members = Object.keys(module as object);
    if (name === 'WAWebCollections') return strange(name, members, realCollections);
    const real = known.modules[name];
    if (real === null) return [name];
    // A module with only a default export is that export, whose members are not in the list.
    return real === undefined || real.join() === 'default' ? [] : strange(name, members, real);
  });
}

const strange = (module: string, members: readonly string[], real: readonly string[]) =>
  members.filter((member) => !real.includes(member)).map((member) => `${module}.${member}`);

test("today's page offers nothing that the real page lacks", async () => {
  assert.equal(known.revision, TODAY.version);
  assert.deepEqual(await strangersOf(TODAY), []);
});

test('control: the page of June has names that are gone today', async () => {
  assert.deepEqual((await strangersOf(JUNE)).sort(), [
    'WAWebCollections.GroupMetadata',
    'WAWebSyncGatingUtils.isPlaceholderMessageResendEnabled',
  ]);
});

for (const [name, page] of Object.entries({ TODAY, JUNE })) {
  test(`the page has everything that the capabilities need: ${name}`, async () => {
    const modules = await loadPageModules(page);
    const isThere = (path: string) => memberOf(modules, path) !== undefined;
    const all = Object.values(pageNeeds).flatMap(({ needs, helps }) => [...needs, ...helps]);
    assert.deepEqual(
      all.filter((names) => !names.split('|').some(isThere)),
      [],
    );
  });
}

test('the settings can remove any module or member', async () => {
  const missing = ['WAWebCollections.Chat.getModelsArray', 'WALinkify.findLink', 'WAWebNothing.member'];
  const modules = await loadPageModules({ ...TODAY, missing });
  assert.equal(memberOf(modules, 'WAWebCollections.Chat.getModelsArray'), undefined);
  assert.equal(memberOf(modules, 'WALinkify.findLink'), undefined);
  assert.ok(memberOf(modules, 'WAWebCollections.Msg.getModelsArray'), 'other collections keep it');
  assert.ok(memberOf(modules, 'WALinkify.findLinks'));
});
