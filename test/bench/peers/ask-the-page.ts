import { createServer } from 'node:http';
import puppeteer from 'puppeteer';
import { serve } from './serve.js';

/** A common other design: each status call asks the page. Arguments: path of Chromium, and the status as JSON. */
const [executablePath = '', status = '{}'] = process.argv.slice(2);
const browser = await puppeteer.launch({ executablePath, args: ['--no-sandbox', '--disable-gpu'] });
const page = await browser.newPage();
const state = JSON.parse(status) as object;

process.once('SIGTERM', () => void browser.close().then(() => process.exit(0)));
serve(
  createServer(async (_request, response) => {
    const readyState = await page.evaluate('document.readyState');
    const body = JSON.stringify({ ...state, ready: readyState === 'complete' });
    response.setHeader('content-type', 'application/json; charset=utf-8').end(body);
  }),
);
