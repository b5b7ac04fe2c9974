/** How the product introduces itself to clients. */
export const productName = 'holdline';
/** As in package.json. */
export const productVersion = '0.1.0';
