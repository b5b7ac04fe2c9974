/** Types for two files of whatsapp-web.js. The package has types only for its entry. */
declare module 'whatsapp-web.js/src/Client.js' {
  interface Setup {
    /** Sets up a page that has loaded; called again after each navigation. */
    inject(): Promise<void>;
    /** Called once per page, when it has synced. */
    attachEventListeners(): Promise<void>;
    /** The start page as WhatsApp last served it. */
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
