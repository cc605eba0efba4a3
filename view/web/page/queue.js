// One queue: its counts over time, its messages, its attributes, and what can be done.
import { el, set } from './dom.js';
import { chart, colour, states } from './chart.js';
import { dialog } from './dialogs.js';
import { count, duration, messages as number } from './format.js';
import { attempt, can, events, get, now, post, store } from './live.js';
import { link } from './list.js';
import { messages, table } from './messages.js';
import { send } from './send.js';
import { workers } from './workers.js';

export function queue(id) {
  let state = 'visible';
  const name = el('h1', {}, id);
  const fifo = el('span', { class: 'tag', hidden: true }, 'FIFO');
  const relations = el('span', { class: 'relations' });
  const sendButton = el('button', { class: 'primary', title: 'Send a message (s)', onclick: () => send(store.byID.get(id)) }, 'Send…');
  const redriveButton = el('button', { title: 'Move dead letters back (r)', onclick: redrive }, 'Redrive all…');
  const purgeButton = el('button', { class: 'danger', title: 'Delete all messages (p)', onclick: purge }, 'Purge…');
  const numbers = states.map(() => el('b'));
  const tiles = states.map((s, i) => el('button', {
    class: `tile ${colour(i)}`, title: `${s.means} (${i + 1})`, 'aria-pressed': 'false', onclick: () => choose(s.key),
  }, numbers[i], el('span', {}, s.name), el('small', {}, s.sqs)));
  const oldest = el('b');
  const plot = chart();
  const crew = workers();
  const list = messages(id);
  const attributes = el('section', { class: 'panel attributes' });
  const progress = el('div', { class: 'tasks' });
  const gone = el('div', { class: 'gone', hidden: true }, 'This queue does not exist any more.');
  const e = el('div', { class: 'queue' },
    el('div', { class: 'title' }, el('a', { class: 'back', href: '#/', title: 'All queues (Esc)' }, '←'), name, fifo, relations, el('span', { class: 'grow' }), sendButton, redriveButton, purgeButton),
    gone, progress,
    el('div', { class: 'tiles' }, tiles, el('div', { class: 'tile' }, oldest, el('span', {}, 'Oldest'), el('small', {}, 'age of the oldest message'))),
    plot, crew,
    el('div', { class: 'columns' }, list, attributes));
  e.name = id;

  function choose(which) {
    state = which;
    for (const [i, s] of states.entries()) tiles[i].setAttribute('aria-pressed', String(s.key === state));
    list.show(state);
  }

  function update() {
    const q = store.byID.get(id);
    if (!store.began) return;
    gone.hidden = Boolean(q);
    for (const b of [sendButton, purgeButton]) b.disabled = !q;
    if (!q) return;
    sendButton.hidden = !can('send');
    purgeButton.hidden = !can('purge');
    redriveButton.hidden = !can('redrive') || q.sources.length === 0;
    redriveButton.disabled = q.counts[0] === 0;
    fifo.hidden = !q.fifo;
    for (const [i, n] of numbers.entries()) set(n, count(q.counts[i]));
    set(oldest, q.oldest ? duration(now() - q.oldest) : '–');
    plot.draw(q);
  }

  function relate() {
    const q = store.byID.get(id);
    if (!q) return;
    const to = store.byID.get(q.dead);
    relations.replaceChildren(...[
      q.dead && el('a', { href: link(q.dead), class: 'dead', title: `after ${q.maxReceives} receives` }, `dead letters: ${q.dead}${to ? '' : ' (missing)'}`),
      ...q.sources.slice(0, 5).map((s) => el('a', { href: link(s), class: 'source' }, `of ${s}`)),
    ].filter(Boolean));
  }

  async function describe() {
    try {
      const fields = await get('queue', { queue: id });
      attributes.replaceChildren(table('Attributes', fields.filter((f) => !f.name.startsWith('Approximate')).map((f) => [f.name, readable(f.name, f.value)])));
    } catch (error) {
      attributes.replaceChildren(el('p', { class: 'note bad' }, error.message));
    }
  }

  function question() {
    const [v, f, d] = store.byID.get(id).counts;
    return [`Delete all ${number(v + f + d)} of ${id}: ${count(v)} waiting, ${count(f)} in flight, ${count(d)} delayed? They cannot be brought back.`, `Delete ${number(v + f + d)}`];
  }

  function purge() {
    if (!can('purge') || !store.byID.has(id)) return;
    const [text, action] = question();
    const asked = dialog({ title: `Purge ${id}`, text, action, danger: true, act: async () => Boolean(await attempt('purge', { Queue: id }, () => `Purged ${id}`)), closed: () => events.removeEventListener('counts', follow) });
    const follow = () => store.byID.has(id) && asked.say(...question());
    events.addEventListener('counts', follow);
  }

  function redrive() {
    const q = store.byID.get(id);
    if (!can('redrive') || !q?.sources.length || !q.counts[0]) return;
    const to = el('select', {}, el('option', { value: '' }, 'the queues they came from'), store.queues.filter((o) => o.id !== id && o.fifo === q.fifo).slice(0, 1000).map((o) => el('option', { value: o.id }, o.name)));
    dialog({
      title: `Redrive ${id}`, text: `Move ${number(q.counts[0])} that ${q.counts[0] === 1 ? 'is' : 'are'} waiting here? They arrive as new ones.`,
      body: [el('label', { class: 'field' }, el('span', {}, 'To'), to)], action: `Move ${number(q.counts[0])}`,
      act: async () => {
        const begun = await attempt('redrive', { Queue: id, To: to.value });
        if (begun) wanted.add(begun.id);
        tasks();
        return Boolean(begun);
      },
    });
  }

  const bars = new Map();
  const wanted = new Set(); // those that ran while this queue was shown
  function tasks() {
    for (const t of store.tasks) if (t.state === 'running') wanted.add(t.id);
    const mine = store.tasks.filter((t) => t.queue === id && wanted.has(t.id));
    for (const t of mine) {
      if (!bars.has(t.id)) bars.set(t.id, bar(t));
      bars.get(t.id).show(t);
    }
    progress.replaceChildren(...mine.map((t) => bars.get(t.id)));
  }

  events.addEventListener('counts', update);
  events.addEventListener('queues', relate);
  events.addEventListener('queues', describe);
  events.addEventListener('tasks', tasks);
  e.end = () => {
    events.removeEventListener('counts', update);
    events.removeEventListener('queues', relate);
    events.removeEventListener('queues', describe);
    events.removeEventListener('tasks', tasks);
    list.end();
    crew.end();
  };
  e.keys = {
    Escape: () => { location.hash = '#/'; },
    '/': list.search, p: purge, r: redrive, s: () => can('send') && store.byID.has(id) && send(store.byID.get(id)),
    1: () => choose('visible'), 2: () => choose('in flight'), 3: () => choose('delayed'),
  };
  e.start = () => {
    update();
    relate();
    choose('visible');
    describe();
    tasks();
    // What was counted before this page was opened.
    get('history', { queue: id }).then((points) => {
      const q = store.byID.get(id);
      if (q && points.length && (!q.points.length || points[0][0] < q.points[0][0])) q.points = points;
      plot.draw(q);
    }, () => {});
  };
  return e;
}

// readable adds to a value in seconds what people call it.
function readable(name, value) {
  if (/Timestamp$/.test(name)) return new Date(value * 1000).toLocaleString('sv-SE');
  if (/^(DelaySeconds|VisibilityTimeout|MessageRetentionPeriod|ReceiveMessageWaitTimeSeconds)$/.test(name) && value >= 60) return `${value} s (${duration(value * 1000)})`;
  return value;
}

// bar shows how far a redrive has come.
function bar(t) {
  const words = el('span');
  const meter = el('progress', { max: 1 });
  const stop = el('button', { class: 'quiet', onclick: () => post('cancel', { ID: t.id }).catch(() => {}) }, 'Stop');
  const e = el('div', { class: 'task' }, words, meter, stop);
  e.show = (one) => {
    const said = { running: 'Moving dead letters', done: 'Moved', cancelled: 'Stopped after', failed: `Failed: ${one.error}; moved` }[one.state];
    set(words, `${said}: ${count(one.moved)} of ${count(one.total)}`);
    meter.value = one.total ? one.moved / one.total : 1;
    stop.hidden = one.state !== 'running';
    e.dataset.state = one.state;
  };
  return e;
}
