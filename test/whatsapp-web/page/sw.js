// The service worker. It reports what it sees of this browser and does not handle requests.

self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (event) => event.waitUntil(self.clients.claim()));
self.addEventListener('message', (event) => event.waitUntil(report()));

async function report() {
  const { userAgent, platform, languages, userAgentData } = self.navigator;
  const brands = (userAgentData?.brands ?? []).map(({ brand }) => brand);
  const body = JSON.stringify({ userAgent, platform, languages, brands });
  await fetch('/agents/service-worker', { method: 'POST', body }).catch(() => {});
}
