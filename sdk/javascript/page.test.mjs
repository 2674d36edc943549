// The page, and the provider it uses, against a real server and its stream of events.

import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';

import { OFREPWebProvider } from '@openfeature/ofrep-web-provider';
import { OpenFeature, ProviderEvents } from '@openfeature/web-sdk';

import { operate, pageToken, url, waiting } from './daybreak.mjs';
import { openPage } from './page.mjs';

/** What the provider asked, and how it was answered. */
let asked = [];
const headers = [['Authorization', `Bearer ${pageToken}`]];

/** A client that listens, and the requests that its provider makes. */
async function listening(context = { targetingKey: 'ada' }) {
  asked = [];
  const fetchImplementation = async (request) => {
    const answer = await fetch(request);
    const { searchParams } = new URL(request.url);
    const told = searchParams.get('flagConfigEtag');
    asked.push({ told, tag: request.headers.get('if-none-match'), status: answer.status });
    return answer;
  };
  await OpenFeature.setContext(context);
  await OpenFeature.setProviderAndWait(new OFREPWebProvider({ baseUrl: url, headers, fetchImplementation }));
  return OpenFeature.getClient();
}

/** Waits until the client is told that this flag has changed. */
function change(client, flag) {
  const { resolve, wait } = waiting(`the change of ${flag}`);
  const handler = (details) => details?.flagsChanged?.includes(flag) && resolve(details);
  client.addHandler(ProviderEvents.ConfigurationChanged, handler);
  return async () => {
    await wait();
    client.removeHandler(ProviderEvents.ConfigurationChanged, handler);
  };
}

/** One of those who see three columns. */
async function whoSeesTheGrid() {
  for (let user = 0; user < 100; user += 1) {
    const context = { targetingKey: `user-${user}` };
    const request = { method: 'POST', headers, body: JSON.stringify({ context }) };
    const flag = await (await fetch(`${url}/ofrep/v1/evaluate/flags/layout`, request)).json();
    if (flag.variant === 'grid') return context;
  }
  throw new Error('nobody sees the grid');
}

afterEach(async () => {
  await OpenFeature.close();
  await operate('ofrep-switched', 'enable');
});

describe('the published provider for pages', () => {
  it('hears of a switched flag, and asks with what it was told', async () => {
    const client = await listening();
    assert.equal(client.getBooleanValue('ofrep-switched', false), true);
    for (const [how, value] of [['disable', false], ['enable', true]]) {
      const changed = change(client, 'ofrep-switched');
      await operate('ofrep-switched', how);
      await changed();
      assert.equal(client.getBooleanValue('ofrep-switched', !value), value);
    }
    assert.equal(asked.length, 3, JSON.stringify(asked));
    assert.deepEqual(asked.map(({ status }) => status), [200, 200, 200]);
    for (const { told, tag } of asked.slice(1)) {
      assert.match(told, /^[0-9a-f]{16}:\d+$/);
      assert.match(tag, /^".+"$/);
    }
  });

  it('sees what is for clients alone, and hears of nothing else', async () => {
    const client = await listening();
    assert.equal(client.getBooleanDetails('new-checkout', false).errorCode, 'FLAG_NOT_FOUND');
    const changed = change(client, 'ofrep-switched');
    await operate('payment-fallback', 'disable');
    await operate('payment-fallback', 'enable');
    await operate('ofrep-switched', 'disable');
    await changed();
    assert.equal(asked.length, 2, JSON.stringify(asked));
  });

  it('asks anew for another user', async () => {
    const client = await listening({ targetingKey: 'user-0' });
    const shares = new Set();
    for (let user = 0; user < 30; user += 1) {
      await OpenFeature.setContext({ targetingKey: `user-${user}` });
      shares.add(client.getStringValue('ofrep-split', ''));
    }
    assert.deepEqual([...shares].sort(), ['blue', 'red']);
    // It listens on.
    const changed = change(client, 'ofrep-switched');
    await operate('ofrep-switched', 'disable');
    await changed();
  });

  it('is told what is wrong', async () => {
    const client = await listening({});
    assert.equal(client.getStringDetails('ofrep-split', 'mine').errorCode, 'TARGETING_KEY_MISSING');
    assert.equal(client.getBooleanValue('ofrep-boolean', false), true);
    assert.equal(client.getStringDetails('ofrep-integer', 'mine').errorCode, 'TYPE_MISMATCH');
  });
});

describe('the page', () => {
  it('draws itself again', async () => {
    const drawn = [];
    const { resolve, wait } = waiting('a page with one column');
    const draw = (shows) => {
      drawn.push(shows);
      if (drawn.length > 1 && shows.columns === 1) resolve();
    };
    await openPage(url, pageToken, await whoSeesTheGrid(), draw);
    assert.deepEqual(drawn.map(({ columns }) => columns), [3]);
    await operate('layout', 'disable');
    try {
      await wait();
    } finally {
      await operate('layout', 'enable');
    }
  });
});
