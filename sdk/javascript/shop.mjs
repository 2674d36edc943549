// A small shop whose flags come from Daybreak, by OpenFeature's own provider for OFREP. It asks the server at each evaluation.

import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';

import { OFREPProvider } from '@openfeature/ofrep-provider';
import { OpenFeature } from '@openfeature/server-sdk';

/** A client of OpenFeature whose flags are those of the server at this URL. */
export async function connect(baseUrl, token) {
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  await OpenFeature.setProviderAndWait(new OFREPProvider({ baseUrl, headers }));
  return OpenFeature.getClient();
}

/** Who asks: `user` is the key that splits go by, and all else is what rules may ask for. */
export function contextOf(query) {
  const { user, ...attributes } = Object.fromEntries(query);
  return { targetingKey: user, ...attributes };
}

/** What the catalogue looks like. Each default is what holds when the server is out of reach. */
export async function catalogue(flags, context) {
  const layout = await flags.getObjectValue('layout', { columns: 1 }, context);
  return { columns: layout.columns, banner: await flags.getStringValue('search-banner', '', context) };
}

/** Which checkout takes the order, and how long it waits for the gateway. */
export async function checkout(flags, context) {
  const isNew = await flags.getBooleanValue('new-checkout', false, context);
  const patience = await flags.getNumberValue('gateway-timeout', 1000, context);
  return { checkout: isNew ? 'new' : 'classic', patience_ms: patience };
}

/** The shop over HTTP: `GET /catalogue?user=ada`, `POST /checkout?user=ada&country=DE&plan=pro`. */
export function shop(flags) {
  const pages = { 'GET /catalogue': catalogue, 'POST /checkout': checkout };
  return createServer(async (request, response) => {
    const url = new URL(request.url, 'http://shop');
    const page = pages[`${request.method} ${url.pathname}`];
    const body = page ? await page(flags, contextOf(url.searchParams)) : { error: 'no such page' };
    response.writeHead(page ? 200 : 404, { 'Content-Type': 'application/json' });
    response.end(`${JSON.stringify(body)}\n`);
  });
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const flags = await connect(process.env.DAYBREAK_URL ?? 'http://localhost:8080', process.env.DAYBREAK_TOKEN);
  shop(flags).listen(8092, '127.0.0.1', () => console.log('the shop listens on http://127.0.0.1:8092'));
}
