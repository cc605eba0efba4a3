// Starts the page: the connection, the theme, the keys, and which view is shown.
import { el, set } from './dom.js';
import { dialog, field } from './dialogs.js';
import { connect, events, store, useToken } from './live.js';
import { list } from './list.js';
import { queue } from './queue.js';

const main = document.getElementById('main');
let view = null;

// named returns the queue that the address names, if it names one.
function named() {
  try {
    return decodeURIComponent(/^#\/q\/(.+)$/.exec(location.hash)?.[1] ?? '');
  } catch {
    return ''; // a % that is none
  }
}

function route() {
  const id = named();
  view?.end();
  view = id ? queue(id) : list();
  main.replaceChildren(view);
  view.start();
  title();
}

function title() {
  const where = store.title || 'queues';
  set(document.getElementById('title'), where);
  document.title = view?.name ? `${view.name} · ${where}` : where;
  document.getElementById('badge').hidden = !store.readOnly;
}

// The token comes behind the # of the address, which browsers send nowhere.
const [, token] = /^#token=(.+)$/.exec(location.hash) ?? [];
if (token) {
  useToken(decodeURIComponent(token));
  history.replaceState(null, '', `${location.pathname}#/`);
}

const words = { live: 'live', connecting: 'connecting', lost: 'connection lost, trying again', trouble: 'no new counts', token: 'needs its token' };
const connection = document.getElementById('connection');
let asking = null;
events.addEventListener('connection', ({ detail: { state, text } }) => {
  connection.dataset.state = state;
  document.body.classList.toggle('stale', state !== 'live');
  set(connection.lastElementChild, words[state]);
  connection.title = text ?? '';
  if (state === 'token' && !asking) {
    const input = field('Token', el('input', { type: 'password', autocomplete: 'off', required: true, class: 'code' }));
    asking = dialog({
      title: 'This page needs its token', text: 'It is in the address that the program printed when it started.', body: [input],
      action: 'Open', act: () => useToken(input.control.value.trim()), closed: () => { asking = null; },
    });
  }
});
events.addEventListener('hello', title);

const theme = document.getElementById('theme');
function show(which) {
  if (which) document.documentElement.dataset.theme = which;
  const dark = which ? which === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  theme.dataset.dark = String(dark);
}
function turn() {
  const next = theme.dataset.dark === 'true' ? 'light' : 'dark';
  localStorage.setItem('theme', next);
  show(next);
}
theme.addEventListener('click', turn);
show(localStorage.getItem('theme'));

const keys = [
  ['/', 'search queues, or messages'], ['↑ ↓ or k j', 'choose a queue'], ['Enter', 'open it'], ['Esc', 'back to all queues'],
  ['1 2 3', 'messages waiting, in flight, delayed'], ['s', 'send a message'], ['r', 'redrive dead letters'], ['p', 'purge the queue'],
  ['t', 'light or dark'], ['?', 'these keys'],
];
function help() {
  dialog({
    title: 'Keys', body: [el('dl', { class: 'keys' }, keys.map(([k, what]) => [el('dt', {}, el('kbd', {}, k)), el('dd', {}, what)]))],
  });
}
document.getElementById('help').addEventListener('click', help);

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector('dialog[open]')) return;
  const typing = event.target.matches('input, textarea, select');
  if (typing) return;
  const act = view.keys[event.key] ?? { t: turn, '?': help }[event.key];
  if (!act || (event.key === 'Enter' && event.target.matches('a, button'))) return;
  event.preventDefault();
  act();
});

addEventListener('hashchange', route);
route();
connect();
