/** Two files of whatsapp-web.js by themselves; the package has types for the whole of it only. */
declare module 'whatsapp-web.js/src/Client.js' {
  const Client: typeof import('whatsapp-web.js').Client;
  export = Client;
}
declare module 'whatsapp-web.js/src/authStrategies/NoAuth.js' {
  const NoAuth: typeof import('whatsapp-web.js').NoAuth;
  export = NoAuth;
}
