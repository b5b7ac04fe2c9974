import { readFile, writeFile } from 'node:fs/promises';
import { accessList } from './access-list.js';
import { sections, withSection } from './tables.js';

/** `npm run docs`: writes the parts of the documentation that follow from the code. */
await writeFile('docs/redis-users.acl', accessList());
for (const { file, name, text } of sections) {
  await writeFile(file, withSection(await readFile(file, 'utf8'), name, text));
}
