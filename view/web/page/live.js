// The stream of counts, kept up over lost connections, and all calls to the server.
import { toast } from './dom.js';

export const store = { title: '', readOnly: false, can: new Set(), lookCost: '', every: 1000, queues: [], byID: new Map(), tasks: [], workers: [], skew: 0, began: false };

// The events: "queues" when the list is another, "counts" with each sample, "tasks",
// "workers", "connection" with its state.
export const events = new EventTarget();
const tell = (name, detail) => events.dispatchEvent(new CustomEvent(name, { detail }));

const keep = 10 * 60 * 1000; // of points, in milliseconds
const key = `token ${location.pathname}`;

// now is the server's time.
export const now = () => Date.now() + store.skew;

export const can = (what) => store.can.has(what);

function headers() {
  const token = sessionStorage.getItem(key);
  return token ? { Authorization: `Bearer ${token}` } : {};
}

export function useToken(token) {
  sessionStorage.setItem(key, token);
  tell('token');
}

async function refused(answer) {
  const text = await answer.text();
  try {
    return JSON.parse(text).error;
  } catch {
    return `${answer.status} ${text.slice(0, 200)}`;
  }
}

// get asks for something, post has something done. Both fail with what the server says.
export async function get(what, parameters = {}, signal) {
  const answer = await fetch(`api/${what}?${new URLSearchParams(parameters)}`, { headers: headers(), signal });
  if (!answer.ok) throw new Error(await refused(answer));
  return answer.json();
}

export async function post(what, document) {
  const answer = await fetch(`api/${what}`, {
    method: 'POST', headers: { ...headers(), 'Content-Type': 'application/json' }, body: JSON.stringify(document),
  });
  if (!answer.ok) throw new Error(await refused(answer));
  return answer.json();
}

// attempt has something done and shows what came of it.
export async function attempt(what, document, said) {
  try {
    const result = await post(what, document);
    if (said) toast(said(result));
    return result;
  } catch (e) {
    toast(e.message, 'bad');
    return null;
  }
}

function points(q, at, v, f, d) {
  const last = q.points.at(-1);
  if (last && last[1] === v && last[2] === f && last[3] === d) return;
  q.points.push([at, v, f, d]);
  if (q.points.length > 64 && q.points[1][0] < at - 1.2 * keep) {
    const from = q.points.findLastIndex((p) => p[0] <= at - keep);
    q.points.splice(0, Math.max(from, 0));
  }
}

const handlers = {
  hello(data) {
    Object.assign(store, data, { can: new Set(data.can) });
    tell('hello');
  },
  queues({ now: at, queues }) {
    store.skew = at - Date.now();
    const known = store.byID;
    store.byID = new Map();
    store.queues = queues.map((q) => {
      const one = Object.assign(known.get(q.id) ?? { points: [] }, q, { points: q.points ?? known.get(q.id)?.points ?? [] });
      points(one, at, ...q.counts);
      store.byID.set(q.id, one);
      return one;
    });
    for (const q of store.queues) q.sources = [];
    for (const q of store.queues) if (q.dead) store.byID.get(q.dead)?.sources.push(q.id);
    store.began = true;
    tell('queues');
    tell('counts');
  },
  counts({ now: at, changed }) {
    store.skew = at - Date.now();
    for (const [i, v, f, d, oldest] of changed) {
      const q = store.queues[i];
      q.counts = [v, f, d];
      q.oldest = oldest;
      points(q, at, v, f, d);
    }
    tell('counts');
  },
  tasks(list) {
    store.tasks = list ?? [];
    tell('tasks');
  },
  workers(list) {
    store.workers = list ?? [];
    tell('workers');
  },
  trouble(text) {
    tell('connection', { state: 'trouble', text });
  },
};

// read dispatches the events of a stream, as they come.
async function read(body, alive) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = ''; ;) {
    const { value, done } = await reader.read();
    if (done) return;
    alive();
    rest += value;
    const parts = rest.split('\n\n');
    rest = parts.pop();
    for (const part of parts) {
      const [, name, data] = /^event: (\w+)\ndata: (.*)$/.exec(part) ?? [];
      if (!name) continue;
      if (name !== 'trouble') tell('connection', { state: 'live' });
      handlers[name]?.(JSON.parse(data));
    }
  }
}

const once = (target, name) => new Promise((done) => target.addEventListener(name, done, { once: true }));
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

// connect watches for as long as the page is open: again after a loss, later each time
// up to five seconds, and not while nobody can see the page.
export async function connect() {
  for (let lost = 0; ;) {
    if (document.hidden) await once(document, 'visibilitychange');
    const aborter = new AbortController();
    let watchdog;
    const alive = () => {
      clearTimeout(watchdog);
      watchdog = setTimeout(() => aborter.abort(), 3 * store.every + 5000);
    };
    const hide = () => setTimeout(() => document.hidden && aborter.abort(), 15000);
    document.addEventListener('visibilitychange', hide);
    try {
      alive();
      const answer = await fetch('api/live', { headers: headers(), signal: aborter.signal, cache: 'no-store' });
      if (answer.status === 401) {
        tell('connection', { state: 'token' });
        clearTimeout(watchdog);
        await once(events, 'token');
        continue;
      }
      if (!answer.ok) throw new Error(await refused(answer));
      await read(answer.body, () => { lost = 0; alive(); });
    } catch {
      // What ended it is shown as lost, whatever it was.
    } finally {
      clearTimeout(watchdog);
      document.removeEventListener('visibilitychange', hide);
    }
    if (document.hidden) continue;
    tell('connection', { state: 'lost' });
    lost += 1;
    await sleep(Math.min(500 * lost, 5000));
  }
}
