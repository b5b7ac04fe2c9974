/**
 * Updates a page, region by region: what is opened in a region stays until that region changes. When the event stream reports a
 * change, the script fetches the page again and replaces what differs. So only the server decides how a state looks. While the
 * stream is down, it fetches every 5 seconds. The script is inline and allowed by its hash, so it must be the same in every
 * response.
 */
export const liveScript = `
(() => {
  const intervalMs = 5000;
  let pollTimer = 0;
  let refreshTimer = 0;
  let isFetching = false;

  function scheduleRefresh() {
    // State and code change together: wait a moment, to fetch once for both.
    if (refreshTimer === 0) refreshTimer = setTimeout(refresh, 10);
  }

  async function refresh() {
    if (isFetching) { refreshTimer = setTimeout(refresh, 10); return; }
    refreshTimer = 0;
    isFetching = true;
    try {
      const response = await fetch(location.href, { headers: { accept: 'text/html' } });
      if (response.redirected) location.assign(response.url);
      else {
        const page = new DOMParser().parseFromString(await response.text(), 'text/html');
        // Only a page that was loaded with another header keeps a hold of the tabs that it opens.
        if (page.body.dataset.tabs && !document.body.dataset.tabs) location.reload();
        else show(page);
      }
    } catch {
      setNote('This server does not answer. Trying again every 5 seconds.');
    }
    isFetching = false;
  }

  function show(page) {
    document.title = page.title;
    document.body.className = page.body.className;
    const [main, next] = [document, page].map((each) => each.querySelector('main'));
    setNote(pollTimer === 0 ? 'This page updates itself.' : 'This page looks for changes every 5 seconds.');
    expiresAt = expiryIn(next);
    const before = shown;
    shown = regionsOf(next);
    if (Object.keys(before).join() !== Object.keys(shown).join()) {
      main.replaceChildren(...next.childNodes);
      return;
    }
    // Keeps the elements: a screen reader announces changes within the state, but not an element that replaces it.
    for (const [id, text] of Object.entries(shown)) {
      if (before[id] !== text) document.getElementById(id).innerHTML = page.getElementById(id).innerHTML;
    }
  }

  /** The HTML of each region as the server sent it, without the countdown. */
  function regionsOf(main) {
    const regions = [...main.children].filter((each) => each.id !== '');
    return Object.fromEntries(regions.map(({ id, innerHTML }) => [
      id, innerHTML.replace(/data-left="[0-9]+">[^<]*/, ''),
    ]));
  }

  function setNote(text) {
    const line = document.querySelector('.live');
    if (line.textContent !== text) line.textContent = text;
  }

  let shown = regionsOf(document.querySelector('main'));
  let expiresAt = expiryIn(document);
  setInterval(() => {
    const left = document.querySelector('[data-left]');
    if (left === null || expiresAt === null) return;
    const seconds = Math.ceil((expiresAt - performance.now()) / 1000);
    left.textContent = seconds <= 0 ? 'any moment'
      : seconds > 300 ? 'in ' + Math.ceil(seconds / 60) + ' min' : 'in ' + seconds + ' s';
  }, 500);

  function expiryIn(root) {
    const left = root.querySelector('[data-left]');
    return left === null ? null : performance.now() + Number(left.dataset.left) * 1000;
  }

  // A frozen Redis, or a supervisor that comes up, is no event.
  const look = () => { if (!document.hidden) scheduleRefresh(); };
  setInterval(look, 15_000);
  document.addEventListener('visibilitychange', look);

  function follow() {
    const events = new EventSource(
      document.body.dataset.events || (document.body.dataset.api || 'api/') + 'events?types=state,qr'
    );
    for (const type of ['state', 'qr', 'gap']) events.addEventListener(type, scheduleRefresh);
    events.onopen = () => {
      clearInterval(pollTimer);
      pollTimer = 0;
      scheduleRefresh();
    };
    events.onerror = () => {
      // The login may have ended. The refresh then leads to the login page.
      if (pollTimer === 0) { pollTimer = setInterval(scheduleRefresh, intervalMs); scheduleRefresh(); }
      // It reconnects by itself, except after a response that is not an event stream.
      if (events.readyState === EventSource.CLOSED) setTimeout(follow, intervalMs);
    };
  }
  follow();
})();
`;
