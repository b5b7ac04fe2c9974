/** Two files of whatsapp-web.js by themselves; the package has types for the whole of it only. */
declare module 'whatsapp-web.js/src/Client.js' {
  interface Setup {
    /** Sets a page up that has loaded, here and after each of its navigations. */
    inject(): Promise<void>;
    /** Called once in each page that has synced. */
    attachEventListeners(): Promise<void>;
    /** The start page, as WhatsApp last served it. */
    currentIndexHtml: string | null;
  }
  const Client: new (
    options?: import('whatsapp-web.js').ClientOptions,
  ) => import('whatsapp-web.js').Client & Setup;
  export = Client;
}
declare module 'whatsapp-web.js/src/authStrategies/NoAuth.js' {
  const NoAuth: typeof import('whatsapp-web.js').NoAuth;
  export = NoAuth;
}
