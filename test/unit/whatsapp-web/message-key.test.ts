import assert from 'node:assert/strict';
import { test } from 'node:test';
import { JUNE, type PageSettings, TODAY } from '../../whatsapp-web/index.js';
import { loadPageModules, memberOf } from '../../whatsapp-web/page-modules.js';

/** WAWebMsgKey of the real page: the string is the same in all versions, its field is not. */

interface MsgKey {
  readonly fromMe: boolean;
  readonly remote: object;
  readonly id: string;
  toString(): string;
  equals(other: unknown): boolean;
  clone(): MsgKey;
}

interface MsgKeyClass {
  new (parts: Record<string, unknown>): MsgKey;
  fromString(text: string): MsgKey;
  from(key: unknown): MsgKey;
  newId(): Promise<string>;
  newId_DEPRECATED(): string;
}

const ME = '990001111@lid';
const ADA = '100046653000003@lid';
const GROUP = '120363000000000001@g.us';

async function keysOf(page: PageSettings) {
  const modules = await loadPageModules(page);
  const wid = memberOf(modules, 'WAWebWidFactory.createWid') as (id: string) => object;
  return { Key: modules.WAWebMsgKey as MsgKeyClass, wid };
}

test('the string is in the configured field, and toString() always returns it', async () => {
  for (const keyField of [TODAY.keyField, JUNE.keyField, 'anotherName']) {
    const { Key, wid } = await keysOf({ ...TODAY, keyField });
    const key = new Key({ from: wid(ME), to: wid(ADA), id: '3EB0A', selfDir: 'out' });
    const expected = `true_${ADA}_3EB0A`;
    assert.equal(key.toString(), expected);
    assert.equal((key as unknown as Record<string, unknown>)[keyField], expected);
    assert.deepEqual(Object.keys(key), ['fromMe', 'remote', 'id', keyField]);
    assert.ok(String(key.toString).includes(keyField), 'its source names the field');
  }
});

test('the direction depends on the account, and the string has all parts', async () => {
  const { Key, wid } = await keysOf(TODAY);
  const text = (parts: Record<string, unknown>) => new Key(parts).toString();
  assert.equal(text({ from: wid(ADA), to: wid(ME), id: 'A' }), `false_${ADA}_A`);
  assert.equal(
    text({ from: wid('15550001111@c.us'), to: wid(GROUP), id: 'A', participant: wid(ME) }),
    `true_${GROUP}_A_${ME}`,
  );
  assert.equal(
    text({ fromMe: false, remote: wid(GROUP), id: 'A', participant: wid(ADA) }),
    `false_${GROUP}_A_${ADA}`,
  );
  assert.equal(text({ from: wid(ME), to: wid(ME), id: 'A', selfDir: 'out' }), `true_${ME}_A_out`);
});

test('a key can be parsed from its string, copied and compared', async () => {
  const { Key } = await keysOf(TODAY);
  for (const text of [`true_${ADA}_3EB0A`, `false_${GROUP}_3EB0A_${ADA}`, `true_${ME}_3EB0A_out`]) {
    const key = Key.fromString(text);
    assert.equal(key.toString(), text);
    assert.equal(key.clone().toString(), text);
    assert.ok(key.equals(key.clone()) && !key.equals(text));
    assert.equal(Key.from(key), key);
  }
  assert.ok(!Key.fromString(`true_${ADA}_A`).equals(Key.fromString(`true_${ADA}_B`)));
});

test('a value that is not a wid is refused, and newId() returns a promise', async () => {
  const { Key, wid } = await keysOf(TODAY);
  assert.throws(() => new Key({ from: ME, to: wid(ADA), id: 'A' }), /^Error: MsgKey error: /);
  assert.throws(() => new Key({ fromMe: true, remote: ADA, id: 'A' }), /^Error: MsgKey error: /);
  assert.throws(
    () => new Key({ fromMe: true, remote: wid(GROUP), id: 'A', participant: ADA }),
    /MsgKey error/,
  );
  assert.throws(() => new Key({ fromMe: true, remote: wid(ADA) }), /MsgKey error/);
  assert.match(await Key.newId(), /^3EB0[0-9A-F]{18}$/);
  assert.match(Key.newId_DEPRECATED(), /^3EB0[0-9A-F]{16}$/);
});
