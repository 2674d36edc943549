// The shop, and the provider it uses, against a real server.

import assert from 'node:assert/strict';
import { after, describe, it } from 'node:test';

import { OFREPProvider } from '@openfeature/ofrep-provider';
import { createEvaluationEvent, OpenFeature } from '@openfeature/server-sdk';

import { operate, token, url } from './daybreak.mjs';
import { catalogue, checkout, connect, shop } from './shop.mjs';

const ada = { targetingKey: 'ada' };
let domains = 0;

/** A client whose provider is its own. */
async function flags(bearer = token, baseUrl = url) {
  const domain = `test-${++domains}`;
  const headers = { Authorization: `Bearer ${bearer}` };
  await OpenFeature.setProviderAndWait(domain, new OFREPProvider({ baseUrl, headers }));
  return OpenFeature.getClient(domain);
}

after(() => OpenFeature.close());

describe('the published provider', () => {
  it('has the value of every type', async () => {
    const client = await flags();
    const cases = [
      ['getBooleanDetails', 'ofrep-boolean', false, true, 'on'],
      ['getStringDetails', 'ofrep-string', '', 'hello', 'greeting'],
      ['getNumberDetails', 'ofrep-integer', 0, 42, 'answer'],
      ['getNumberDetails', 'ofrep-float', 0, 1, 'whole'],
      ['getObjectDetails', 'ofrep-object', {}, { colour: 'teal', size: 3 }, 'teal'],
    ];
    for (const [get, key, otherwise, value, variant] of cases) {
      const detail = await client[get](key, otherwise, ada);
      assert.deepEqual([detail.value, detail.variant, detail.reason], [value, variant, 'STATIC'], key);
      assert.equal(detail.errorCode, undefined, key);
    }
  });

  it('knows why', async () => {
    const client = await flags();
    const ours = { ...ada, email: 'ada@example.com' };
    const cases = [
      ['ofrep-targeted', ours, true, 'TARGETING_MATCH'],
      ['ofrep-targeted', ada, false, 'DEFAULT'],
      ['ofrep-disabled', ada, false, 'DISABLED'],
    ];
    for (const [key, context, value, reason] of cases) {
      const detail = await client.getBooleanDetails(key, !value, context);
      assert.deepEqual([detail.value, detail.reason, detail.errorCode], [value, reason, undefined], key);
    }
    const { flagMetadata } = await client.getBooleanDetails('ofrep-boolean', false, ada);
    const { revision, version, flagSetId, ...own } = flagMetadata;
    assert.deepEqual(own, { team: 'conformance', priority: 1, legacy: false });
    assert.ok(revision > 0);
    assert.equal(version, String(revision));
    assert.ok(flagSetId);
  });

  it('has what the hooks for OpenTelemetry tell', async () => {
    const client = await flags();
    let told;
    const hook = { finally: (context, detail) => { told = createEvaluationEvent(context, detail); } };
    const { flagMetadata } = await client.getBooleanDetails('ofrep-boolean', false, ada, { hooks: [hook] });
    assert.equal(told.name, 'feature_flag.evaluation');
    assert.equal(told.attributes['feature_flag.version'], flagMetadata.version);
    assert.equal(told.attributes['feature_flag.set.id'], flagMetadata.flagSetId);
    assert.ok(flagMetadata.version && flagMetadata.flagSetId);
  });

  it('leaves the default where something is wrong', async () => {
    const client = await flags();
    const cases = [
      ['ofrep-absent', ada, 'FLAG_NOT_FOUND'],
      ['ofrep-split', {}, 'TARGETING_KEY_MISSING'],
      ['ofrep-integer', ada, 'TYPE_MISMATCH'],
      ['ofrep-string', { ...ada, $reserved: 1 }, 'INVALID_CONTEXT'],
    ];
    for (const [key, context, code] of cases) {
      const detail = await client.getStringDetails(key, 'mine', context);
      assert.deepEqual([detail.value, detail.reason, detail.errorCode], ['mine', 'ERROR', code], key);
      assert.ok(detail.errorMessage, key);
    }
    const stranger = await flags('none-of-yours');
    assert.equal((await stranger.getBooleanDetails('ofrep-boolean', false, ada)).errorCode, 'GENERAL');
  });

  it('sees a switched flag at once', async () => {
    const client = await flags();
    for (const [how, value] of [['disable', false], ['enable', true]]) {
      await operate('ofrep-switched', how);
      assert.equal(await client.getBooleanValue('ofrep-switched', !value, ada), value);
    }
  });
});

describe('the shop', () => {
  it('has pages', async () => {
    const server = shop(await connect(url, token));
    await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
    const ask = async (method, path) => {
      const answer = await fetch(`http://127.0.0.1:${server.address().port}${path}`, { method });
      return answer.json();
    };
    const columns = new Set();
    for (let user = 0; user < 30; user += 1) columns.add((await ask('GET', `/catalogue?user=user-${user}`)).columns);
    assert.deepEqual([...columns].sort(), [1, 3]);
    const staff = await ask('POST', '/checkout?user=ada&email=ada@shop.example');
    assert.deepEqual(staff, { checkout: 'new', patience_ms: 1000 });
    assert.equal((await ask('POST', '/checkout?user=ada')).checkout, 'classic');
    server.closeAllConnections();
    server.close();
  });

  it('sells without the server', async () => {
    const gone = await flags('none', 'http://127.0.0.1:9');
    assert.deepEqual(await checkout(gone, ada), { checkout: 'classic', patience_ms: 1000 });
    assert.deepEqual(await catalogue(gone, ada), { columns: 1, banner: '' });
  });
});
