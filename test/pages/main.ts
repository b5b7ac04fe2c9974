import { createServer } from 'node:http';
import { htmlType } from '../../src/http/core/responses.js';
import { html } from '../../src/http/pages/html.js';
import { pageHead, pageHeaders } from '../../src/http/pages/layout.js';
import { pageStates } from './states.js';

/**
 * `npm run pages`: serves every page of the product in every state, as the product renders it. scripts/pages.sh starts it again
 * after each change of the sources. An open page about the session then updates itself within 5 seconds.
 */
const port = Number(process.env.PORT ?? 8799);
const pages = await pageStates();

const index = html`<!doctype html>
<html lang="en">${pageHead('Pages', html``)}
<body><h1>Every page in every state</h1>
<ul>${[...pages.keys()].map((name) => html`<li><a href="/${name}">${name}</a></li>`)}</ul>
</body></html>`.text;

const server = createServer((request, response) => {
  const name = (request.url ?? '/').slice(1);
  const page = name === '' ? index : pages.get(name);
  response.writeHead(page === undefined ? 404 : 200, { ...pageHeaders, 'content-type': htmlType });
  response.end(page ?? 'There is no such page.');
});
server.listen(port, '127.0.0.1', () => console.log(`every page: http://127.0.0.1:${port}/`));
