export { productName, productVersion } from '../contract/product.js';
