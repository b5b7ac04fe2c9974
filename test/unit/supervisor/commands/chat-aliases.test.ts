import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ChatAliases } from '../../../../src/supervisor/commands/chat-aliases.js';

describe('chat aliases', () => {
  it('lead to one key, in any order and in a circle', () => {
    const chats = new ChatAliases();
    chats.join('a', 'b');
    chats.join('c', 'd');
    chats.join('b', 'c');
    assert.equal(chats.join('d', 'a'), null);
    assert.equal(new Set(['a', 'b', 'c', 'd'].map((name) => chats.keyOf(name))).size, 1);
  });

  it('are at most 10,000, of which the least recently used are forgotten', () => {
    const chats = new ChatAliases();
    chats.join('kept', 'K');
    chats.join('left', 'L');
    for (let i = 0; i < 9_998; i++) chats.join(`name ${i}`, `chat ${i}`);
    chats.keyOf('kept');
    chats.join('another', 'A');
    assert.deepEqual([chats.keyOf('kept'), chats.keyOf('left')], ['K', 'left']);
  });
});
