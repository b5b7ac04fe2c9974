/** What this is, to those who ask. */
export const productName = 'holdline';
/** As in package.json. */
export const productVersion = '0.1.0';
