/** Chromium's arguments as the value of `WHATSAPP_CHROME_ARGS`. */
export function chromeArgsVariable(args: readonly string[]): string {
  return args.map((argument) => `"${argument}"`).join(' ');
}
