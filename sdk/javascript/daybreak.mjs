// What the tests need of a server. DAYBREAK_URL says where it is, DAYBREAK_TOKEN what a shop shows, DAYBREAK_PAGE_TOKEN what
// a page shows, and DAYBREAK_OPERATOR_TOKEN what operators do, with curl. `cargo xtask test` runs them.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

import { EventSource } from 'eventsource';

// Browsers have one.
globalThis.EventSource ??= EventSource;

const wanted = (name) => process.env[name] ?? (() => { throw new Error(`${name} is not set`); })();

export const url = wanted('DAYBREAK_URL');
export const token = wanted('DAYBREAK_TOKEN');
export const pageToken = wanted('DAYBREAK_PAGE_TOKEN');
const operatorToken = wanted('DAYBREAK_OPERATOR_TOKEN');

/** Does what an operator does, with curl. */
export async function operate(flag, how) {
  const line = ['-sSf', '-o', '/dev/null', '-X', 'POST', '-H', `Authorization: Bearer ${operatorToken}`];
  await promisify(execFile)('curl', [...line, `${url}/api/v1/flags/${flag}/${how}`]);
}

/** Waits for what an event calls with, no longer than ten seconds. */
export function waiting(what) {
  let resolve;
  const came = new Promise((done) => { resolve = done; });
  const timer = setTimeout(() => resolve(new Error(`${what} did not come`)), 10_000);
  const wait = async () => {
    const value = await came;
    clearTimeout(timer);
    if (value instanceof Error) throw value;
    return value;
  };
  return { resolve, wait };
}
