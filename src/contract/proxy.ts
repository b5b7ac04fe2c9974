import { z } from 'zod';

/** The proxy of a session's browser. */

const serverPattern =
  /^(?:https?|socks5):\/\/(?:[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\]):(\d{1,5})$/i;

const serverRule =
  'must be http://host:port, https://host:port or socks5://host:port; a user name and a password go into the fields username and password';
const usernameRule = 'must be a text of 1-256 characters, without a colon and without control characters';
const passwordRule = 'must be a text of at most 1024 characters, without control characters';
const togetherRule = 'username and password must be given together; a password may be empty';
const socksRule =
  'must not be given with a SOCKS5 proxy: Chromium cannot log in to one; use an http or https proxy, or let the SOCKS5 proxy accept the address of the supervisor';

/** What Chromium takes as `--proxy-server`. */
const serverSchema = z
  .string({ error: serverRule })
  .max(300, { error: serverRule })
  .refine(
    (server) => {
      const port = Number(serverPattern.exec(server)?.[1]);
      return port >= 1 && port <= 65_535 && URL.canParse(server);
    },
    { error: serverRule },
  );

/** User name and password, encrypted with the key of this id. */
const sealedLoginSchema = z.object({ key_id: z.string(), data: z.string() });

export type SealedLogin = z.infer<typeof sealedLoginSchema>;

export const storedProxySchema = z.object({
  server: serverSchema,
  login: sealedLoginSchema.nullable(),
});

export type StoredProxy = z.infer<typeof storedProxySchema>;

/** In place of one that cannot be read: without its proxy the session must not run. */
export const unreadableProxy: StoredProxy = { server: '', login: null };

/** What callers are told of it. */
export const proxyViewSchema = z.object({ server: z.string() });

export function proxyView(proxy: StoredProxy | null): z.infer<typeof proxyViewSchema> | null {
  return proxy && { server: proxy.server };
}

export interface ProxyLogin {
  readonly username: string;
  readonly password: string;
}

/** What a client may set. */
export const proxyInputSchema = z
  .strictObject(
    {
      server: serverSchema.describe('`http://host:port`, `https://host:port` or `socks5://host:port`'),
      username: z
        .string({ error: usernameRule })
        .regex(/^[^:\p{Cc}]{1,256}$/u, { error: usernameRule })
        .optional()
        .describe('never told again'),
      password: z
        .string({ error: passwordRule })
        .regex(/^\P{Cc}{0,1024}$/u, { error: passwordRule })
        .optional()
        .describe('never told again, and encrypted with WHATSAPP_CREDENTIALS_KEY'),
    },
    {
      error: 'must be null, or an object with server, and with username and password if the proxy wants them',
    },
  )
  .refine(({ username, password }) => (username === undefined) === (password === undefined), {
    path: ['password'],
    error: togetherRule,
  })
  .refine(({ server, password }) => password === undefined || !/^socks5:/i.test(server), {
    path: ['password'],
    error: socksRule,
  });

export type ProxyInput = z.infer<typeof proxyInputSchema>;

/** The host of a proxy's server, with its port, as sentences name it. */
export function proxyHost(server: string): string {
  return server.replace(/^\w+:\/\//, '');
}
