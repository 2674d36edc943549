// How long it takes from curl's answer to a toggle until the page's provider tells of the change: `node latency.mjs 50`.

import { OFREPWebProvider } from '@openfeature/ofrep-web-provider';
import { OpenFeature, ProviderEvents } from '@openfeature/web-sdk';

import { operate, pageToken, url, waiting } from './daybreak.mjs';

const times = Number(process.argv[2] ?? 50);
const flag = 'ofrep-switched';
await operate(flag, 'enable');
await OpenFeature.setContext({ targetingKey: 'ada' });
const headers = [['Authorization', `Bearer ${pageToken}`]];
await OpenFeature.setProviderAndWait(new OFREPWebProvider({ baseUrl: url, headers }));
const client = OpenFeature.getClient();
// The stream is opened after the first answer.
await new Promise((listens) => setTimeout(listens, 200));

let told = () => {};
client.addHandler(ProviderEvents.ConfigurationChanged, (details) => {
  if (details?.flagsChanged?.includes(flag)) told(performance.now());
});
const [fromStart, fromAnswer] = [[], []];
for (let time = 0; time < times; time += 1) {
  const { resolve, wait } = waiting('the change');
  told = resolve;
  const started = performance.now();
  await operate(flag, time % 2 === 0 ? 'disable' : 'enable');
  const answered = performance.now();
  const came = await wait();
  fromStart.push(came - started);
  fromAnswer.push(came - answered);
}
const quantile = (all, share) => all.sort((a, b) => a - b)[Math.min(all.length - 1, Math.ceil(all.length * share) - 1)];
const show = (all) => `p50 ${quantile(all, 0.5).toFixed(1)} ms, p99 ${quantile(all, 0.99).toFixed(1)} ms`;
console.log(`${times} toggles by curl, until ConfigurationChanged`);
console.log(`from curl's answer: ${show(fromAnswer)}`);
console.log(`from curl's start:  ${show(fromStart)}`);
await OpenFeature.close();
