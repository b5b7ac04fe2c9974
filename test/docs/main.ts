import { readFile, writeFile } from 'node:fs/promises';
import { sections, withSection } from './tables.js';

/** `npm run docs`: writes the tables of the documentation that follow from the code. */
for (const { file, name, text } of sections) {
  await writeFile(file, withSection(await readFile(file, 'utf8'), name, text));
}
