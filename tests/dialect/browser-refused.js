// exit: 107
// says: k6/browser
import { browser } from 'k6/browser';

export default async function () {
  await browser.newPage();
}
