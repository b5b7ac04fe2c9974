// The phone page: polls the control server once a second, and carries out what its buttons request.

import { refreshChats, startChats } from './chats.js';
import { ask, byId, clock, element, say, whenChanged } from './dom.js';

const MOST_ENTRIES = 30;
let isServerGone = false;

async function act(path, args, describe) {
  try {
    const { text, isBad } = describe(await ask('POST', path, args));
    say('outcome', text, isBad);
  } catch (error) {
    say('outcome', error.message, true);
  }
  await refresh();
}

const linked = (result) =>
  result.linked ? { text: `Linked as ${result.deviceId}.` } : { text: result.message, isBad: true };

const unlink = (id) => act('/phone/unlink', [id], () => ({ text: `${id} is unlinked.` }));

async function enterCode() {
  await act('/phone/enterCode', [byId('code').value], (result) => {
    if (result.linked) byId('code').value = '';
    return linked(result);
  });
}

function deviceRow({ id, name, linkedAt, acting }) {
  const row = element('li', '');
  const about = element('div', '');
  const presence = acting === 0 ? 'offline' : acting === 1 ? 'online' : `online ${acting} times at once`;
  about.append(element('p', name ? `${id}, ${name}` : id));
  about.append(element('p', `linked ${clock(linkedAt)}, ${presence}`, acting > 1 ? 'soft bad' : 'soft'));
  const button = element('button', 'Unlink', 'warn');
  button.type = 'button';
  button.setAttribute('aria-label', `Unlink ${id}`);
  button.onclick = () => unlink(id);
  row.append(about, button);
  return row;
}

function journalRow({ at, text }) {
  const row = element('li', '');
  row.append(element('time', clock(at)), element('span', text));
  return row;
}

const drawAccount = whenChanged(({ wid, pushname }) => {
  byId('initial').textContent = pushname.slice(0, 1);
  byId('name').textContent = pushname;
  byId('number').textContent = `+${wid.split('@')[0]}`;
  byId('write').textContent = `Send to ${pushname}`;
});

const drawLinking = whenChanged((hasQr, hasCode, pagesNow) => {
  const shown = [hasQr && 'A QR code is shown and can be scanned.', hasCode && 'A pairing code is shown.'];
  const pages = `${pagesNow} page${pagesNow === 1 ? '' : 's'}`;
  byId('qr').textContent = shown.filter(Boolean).join(' ') || `No code is shown now; ${pages} open.`;
  byId('scan').disabled = !hasQr;
});

const drawDevices = whenChanged((devices) => {
  byId('devices').replaceChildren(
    ...(devices.length > 0 ? devices.map(deviceRow) : [element('li', 'None yet.', 'soft')]),
  );
});

const drawJournal = whenChanged((journal) => {
  byId('journal').replaceChildren(
    ...(journal.length > 0 ? journal.map(journalRow) : [element('li', 'Nothing yet.', 'soft')]),
  );
});

async function refresh() {
  try {
    const { account, devices, currentQr, currentCode, pagesNow, journal } = await ask('GET', '/state');
    drawAccount(account);
    drawLinking(currentQr !== null, currentCode !== null, pagesNow);
    drawDevices(devices);
    drawJournal(journal.slice(-MOST_ENTRIES).reverse());
    await refreshChats();
    if (isServerGone) say('outcome', '');
    isServerGone = false;
  } catch (error) {
    isServerGone = true;
    byId('scan').disabled = true;
    say('outcome', error.message, true);
  }
}

async function keepFresh() {
  await refresh();
  setTimeout(keepFresh, 1000);
}

byId('scan').onclick = () => act('/phone/scanCurrent', [], linked);
byId('code-form').onsubmit = (event) => {
  event.preventDefault();
  void enterCode();
};
startChats();
void keepFresh();
