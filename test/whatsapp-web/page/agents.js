// Reports to the server what page, worker and service worker see of this browser.

export function reportAgents() {
  void report('page');
  const worker = new Worker('/app/agent-worker.js', { type: 'module' });
  worker.onmessage = () => worker.terminate();
  navigator.serviceWorker
    ?.register('/sw.js')
    .then(() => navigator.serviceWorker.ready)
    .then(({ active }) => active?.postMessage('report'))
    .catch(() => {});
}

export async function report(kind) {
  const { userAgent, platform, languages, userAgentData } = navigator;
  const brands = (userAgentData?.brands ?? []).map(({ brand }) => brand);
  const body = JSON.stringify({ userAgent, platform, languages, brands });
  await fetch(`/agents/${kind}`, { method: 'POST', body }).catch(() => {});
}
