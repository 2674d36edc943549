// What the shop's page does in a browser, by OpenFeature's own provider for pages: it evaluates all flags for its user once,
// listens to the server's stream of events, and draws itself again when something has changed.

import { OFREPWebProvider } from '@openfeature/ofrep-web-provider';
import { OpenFeature, ProviderEvents } from '@openfeature/web-sdk';

/**
 * Opens the page for a user. The token is one of the role `evaluate`, which everybody can read who opens the page.
 * `draw` is called with what the page shows, now and after each change.
 */
export async function openPage(baseUrl, token, context, draw) {
  // This provider takes a list of pairs, whatever its documentation says.
  const headers = token ? [['Authorization', `Bearer ${token}`]] : [];
  await OpenFeature.setContext(context);
  await OpenFeature.setProviderAndWait(new OFREPWebProvider({ baseUrl, headers }));
  const flags = OpenFeature.getClient();
  const shows = () => ({
    columns: flags.getObjectValue('layout', { columns: 1 }).columns,
    banner: flags.getStringValue('search-banner', ''),
  });
  flags.addHandler(ProviderEvents.ConfigurationChanged, () => draw(shows()));
  draw(shows());
  return flags;
}
