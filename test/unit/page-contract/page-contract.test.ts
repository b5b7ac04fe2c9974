import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { after, test } from 'node:test';
import { capabilityNames } from '../../../src/contract/page.js';
import { pageNeeds } from '../../../src/contract/page-needs.js';
import { contractVerdict } from '../../../src/doctor/page-checks.js';
import { assessCapabilities, lookupInList } from '../../../src/page-contract/capability-report.js';
import { composeReport, examineList } from '../../../src/page-contract/examine.js';
import {
  compareLists,
  type ExportList,
  formatExports,
  readKnownExports,
} from '../../../src/page-contract/export-list.js';
import { findUses, readLibraryUses, useName } from '../../../src/page-contract/library-uses.js';
import { formatReport } from '../../../src/page-contract/report.js';
import { assertNothingLeft } from '../../support/leftovers.js';

after(assertNothingLeft);

const known = await readKnownExports();

function listOf(modules: ExportList['modules']): ExportList {
  return { revision: '2.3000.1', built: null, what: 'names', modules };
}

/** A library of one file. */
function usesIn(text: string, name = 'Client.js') {
  const { uses, computed } = findUses([{ name, text }]);
  return { names: uses.map(useName), places: uses.map(({ at }) => at), computed };
}

test('the bundled list is in its canonical format', () => {
  const file = resolve(import.meta.dirname, '../../../../src/page-contract/known-exports.json');
  assert.equal(formatExports(known), readFileSync(file, 'utf8'));
  assert.ok(Object.keys(known.modules).length > 150);
});

test('the page of the bundled list has what every capability needs', async () => {
  const { ok, capabilities, library } = await examineList();
  assert.equal(ok, true);
  assert.deepEqual(
    capabilities.map(({ capability, level }) => [capability, level]),
    capabilityNames.map((name) => [name, 'ok']),
  );
  assert.equal(library.version, '1.34.7');
  const missing = library.missing.map(({ name }) => name);
  assert.ok(missing.includes('WAWebBlockContactUtils.getContactToBlockOnlyUseIfNoAssociatedChat'));
  assert.ok(!missing.includes('WAWebMsgKey.newId'), 'a member of a default export is not known, not missing');
});

test('a missing module or member is named for each capability that needs it, and for no other', () => {
  const modules = { ...known.modules, WAWebSendMsgChatAction: null };
  const media = known.modules.WAWebPrepRawMedia?.filter((name) => name !== 'prepRawMedia') ?? [];
  const reports = assessCapabilities(
    lookupInList({ ...known, modules: { ...modules, WAWebPrepRawMedia: media } }),
  );
  const broken = reports.filter(({ level }) => level === 'broken');
  assert.deepEqual(
    broken.map(({ capability, missing }) => [capability, missing]),
    [
      ['send', ['WAWebSendMsgChatAction.addAndSendMsgToChat']],
      ['media', ['WAWebPrepRawMedia.prepRawMedia']],
    ],
  );
});

test('a name may have an alternative: the capability is broken only without both', () => {
  const of = (modules: ExportList['modules']) => {
    const lookup = lookupInList({ ...known, modules: { ...known.modules, ...modules } });
    return assessCapabilities(lookup).find(({ capability }) => capability === 'qr');
  };
  assert.equal(of({})?.level, 'ok');
  assert.equal(of({ WAWebLaunchSocketUtils: ['start'] })?.level, 'ok', 'WAWebCmd.Cmd.refreshQR may exist');
  const degraded = of({ WAWebLaunchSocketUtils: null, WAWebCmd: null });
  assert.equal(degraded?.level, 'broken');
  assert.deepEqual(degraded?.missing_helps, ['WAWebLaunchSocketUtils.refreshQR or WAWebCmd.Cmd.refreshQR']);
});

test('a name that a list cannot show is unknown, neither there nor missing', () => {
  const lookup = lookupInList(
    listOf({ Default: ['default'], Named: ['a', 'default'], 'View.react': ['open'], Gone: null }),
  );
  const expected = {
    Default: 'there',
    'Default.member': 'unknown',
    'Named.a': 'there',
    'Named.a.inner': 'there',
    'Named.b': 'missing',
    'View.react': 'there',
    'View.react.open': 'there',
    'View.react.close': 'missing',
    Gone: 'missing',
    'Gone.a': 'missing',
    'Other.a': 'unknown',
  };
  for (const [name, presence] of Object.entries(expected)) assert.equal(lookup(name), presence, name);
});

test('two lists differ by modules and members; unknown members are no difference', () => {
  const before = listOf({ A: ['a', 'b'], B: ['x'], C: null, D: ['default'], E: null, F: ['only'] });
  const now = listOf({ A: ['b', 'c'], B: null, C: ['new'], D: ['inner'], E: null, G: ['g'] });
  assert.deepEqual(compareLists(before, now), { gone: ['A.a', 'B'], added: ['A.c', 'C'] });
  assert.deepEqual(compareLists(known, known), { gone: [], added: [] });
});

test('the uses of the library are found in every form of its code', () => {
  const { names, computed } = usesIn(`
    window.require('WAWebA').first(window.require('WAWebB'));
    const { one, two: renamed, three = 3, ...rest } = window.require('WAWebC');
    const { inner } = window
      .require('WAWebD')
      .Outer;
    const Key = window.require('WAWebE');
    new Key(Key.newId(), MyKey.notOfIt(), Key?.maybe);
    const Key = window.require('WAWebF');
    Key.ofTheOther();
    window.Store.Link = window.require(
      'WAWebG',
    );
    window.Store.Link.start(Store.Link);
    inject({ module: 'WAWebH', function: 'run' }, { module: 'WAWebI', index: 0, function: 'walk' });
    if (window.require('WAWebJ')?.maybe) window.require(target.module);
    require('node:fs').readFileSync;
  `);
  assert.deepEqual(names, [
    ...['WAWebA.first', 'WAWebB', 'WAWebC.one', 'WAWebC.three', 'WAWebC.two', 'WAWebD.Outer'],
    ...['WAWebE.maybe', 'WAWebE.newId', 'WAWebF.ofTheOther', 'WAWebG.start', 'WAWebH.run', 'WAWebI.walk'],
    'WAWebJ.maybe',
  ]);
  assert.equal(computed, 1);
});

test('a use has its file and line', () => {
  const { places } = usesIn("\n\nwindow.require('WAWebA').a;\nwindow.require('WAWebA').a;", 'util/In.js');
  assert.deepEqual(places, ['util/In.js:3']);
});

test('the installed library uses at least 130 modules', async () => {
  const { uses } = await readLibraryUses();
  const modules = new Set(uses.map(({ module }) => module));
  assert.ok(modules.size >= 130, String(modules.size));
  const names = uses.map(useName);
  for (const name of [
    'WAWebSocketModel.Socket',
    'WAWebFindChatAction.findOrCreateLatestChat',
    'WAWebMsgKey',
  ]) {
    assert.ok(names.includes(name), name);
  }
});

test('the report names what is missing and what was not checked, and the doctor warns', async () => {
  const library = await readLibraryUses();
  const modules = { ...known.modules, WAWebAltDeviceLinkingApi: null };
  const report = composeReport(known, library, lookupInList({ ...known, modules }), null);
  const text = formatReport(report);
  assert.match(text, /^ {2}broken {4}pairing {3}missing: WAWebAltDeviceLinkingApi\.setPairingType, /m);
  assert.match(text, /^The list has the names that a module exports\. Not checked: /m);
  assert.match(text, /\nsomething that a capability needs is missing\n$/);
  const verdict = contractVerdict(report);
  assert.equal(verdict.level, 'warning');
  assert.match(verdict.message, /something is missing for pairing; npm run page-contract names it$/);
  assert.equal(contractVerdict(await examineList()).level, 'ok');
});

test('the bundled list has every module that Holdline needs, except WAWebUnpairDeviceJob', () => {
  const absent = Object.values(pageNeeds)
    .flatMap(({ needs, helps }) => [...needs, ...helps])
    .flatMap((need) => need.split('|'))
    .map((name) => name.split('.')[0] ?? '')
    .filter((module) => known.modules[module] === undefined);
  assert.deepEqual([...new Set(absent)], ['WAWebUnpairDeviceJob']);
});
