/**
 * Makes a page follow the session: told by the event stream that something changed, it asks for itself again and
 * takes over what is different, so that what a state looks like is written once, on the server. While the stream is
 * cut it asks every 5 seconds. Inlined, and named in the policy by its hash: keep it free of user data.
 */
export const liveScript = `
(() => {
  const intervalMs = 5000;
  let poll = 0;
  let soon = 0;
  let isReading = false;

  function refresh() {
    // State and code change together: one look for both.
    if (soon === 0) soon = setTimeout(read, 10);
  }

  async function read() {
    if (isReading) { soon = setTimeout(read, 10); return; }
    soon = 0;
    isReading = true;
    try {
      const answer = await fetch(location.href, { headers: { accept: 'text/html' } });
      if (answer.redirected) location.assign(answer.url);
      else show(new DOMParser().parseFromString(await answer.text(), 'text/html'));
    } catch {
      say('This server does not answer. Trying again every 5 seconds.');
    }
    isReading = false;
  }

  function show(page) {
    document.title = page.title;
    document.body.className = page.body.className;
    const [main, next] = [document, page].map((each) => each.querySelector('main'));
    say(poll === 0 ? 'This page follows the session by itself.' : 'This page looks for changes every 5 seconds.');
    expiresAt = lifeOf(next);
    const nextShown = withoutLife(next);
    if (nextShown === shown) return;
    shown = nextShown;
    const [status, nextStatus] = [main, next].map((each) => each.querySelector('[role=status]'));
    // A screen reader tells what changes within it, not another one in its place.
    if (status && nextStatus) {
      if (status.innerHTML !== nextStatus.innerHTML) status.innerHTML = nextStatus.innerHTML;
      nextStatus.replaceWith(status);
    }
    main.replaceChildren(...next.childNodes);
  }

  function withoutLife(main) {
    return main.innerHTML.replace(/data-left="[0-9]+">[^<]*/, '');
  }

  function say(text) {
    const line = document.querySelector('.live');
    if (line.textContent !== text) line.textContent = text;
  }

  let shown = withoutLife(document.querySelector('main'));
  let expiresAt = lifeOf(document);
  setInterval(() => {
    const left = document.querySelector('[data-left]');
    if (left === null || expiresAt === null) return;
    const seconds = Math.ceil((expiresAt - performance.now()) / 1000);
    left.textContent = seconds > 0 ? 'replaced in ' + seconds + ' s' : 'replaced any moment';
  }, 500);

  function lifeOf(place) {
    const left = place.querySelector('[data-left]');
    return left === null ? null : performance.now() + Number(left.dataset.left) * 1000;
  }

  function follow() {
    const events = new EventSource('api/events?types=state,qr');
    for (const type of ['state', 'qr', 'gap']) events.addEventListener(type, refresh);
    events.onopen = () => {
      clearInterval(poll);
      poll = 0;
      refresh();
    };
    events.onerror = () => {
      // What ended it may be the login: the page asked for now leads there.
      if (poll === 0) { poll = setInterval(refresh, intervalMs); refresh(); }
      // It goes on by itself, except after an answer that is no stream.
      if (events.readyState === EventSource.CLOSED) setTimeout(follow, intervalMs);
    };
  }
  follow();
})();
`;
