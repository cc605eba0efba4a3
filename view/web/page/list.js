// All queues. Only the rows that can be seen are elements, so a thousand cost as few
// as twenty.
import { el, set } from './dom.js';
import { colour, spark, states } from './chart.js';
import { count, duration } from './format.js';
import { events, now, store } from './live.js';
import { workers } from './workers.js';

export const link = (id) => `#/q/${encodeURIComponent(id)}`;

const height = { wide: 46, narrow: 76 };

const columns = [
  { key: 'name', name: 'Queue', value: (q) => q.name },
  { key: 'spark', name: 'Last minute' },
  ...states.map((s, i) => ({ key: s.key, name: s.name, value: (q) => q.counts[i], class: colour(i), title: s.sqs })),
  { key: 'oldest', name: 'Oldest', value: (q) => (q.oldest ? now() - q.oldest : -1), title: 'age of the oldest message' },
];

// What is chosen stays while the page is open.
const chosen = { search: '', sort: 'name', down: false, at: 0 };

function row() {
  const name = el('a', { class: 'name' });
  const fifo = el('span', { class: 'tag' }, 'FIFO');
  const dead = el('a', { class: 'dead' });
  const role = el('span', { class: 'tag bad' });
  const picture = spark();
  const counts = states.map((s, i) => el('span', { class: `n ${colour(i)}`, title: s.sqs }));
  const oldest = el('span', { class: 'age' });
  const e = el('div', { class: 'row', role: 'row' },
    el('span', { class: 'who' }, name, fifo, role, dead), picture, counts, oldest);
  e.addEventListener('click', (event) => {
    if (!event.target.closest('a')) location.hash = e.queue ? link(e.queue.id) : '';
  });
  e.show = (q, y, selected) => {
    e.queue = q;
    e.hidden = !q;
    if (!q) return;
    e.style.transform = `translateY(${y}px)`;
    e.classList.toggle('selected', selected);
    e.classList.toggle('buried', q.sources.length > 0);
    e.classList.toggle('empty', q.counts.every((n) => n === 0));
    set(name, q.name);
    if (name.hash !== link(q.id)) name.href = link(q.id);
    fifo.hidden = !q.fifo;
    role.hidden = q.sources.length === 0;
    set(role, 'dead letters');
    role.title = `of ${q.sources.join(', ')}`;
    dead.hidden = !q.dead;
    if (q.dead) {
      const to = store.byID.get(q.dead);
      set(dead, `${q.dead}${to ? ` · ${count(to.counts[0])}` : ''}`);
      dead.classList.toggle('some', Boolean(to?.counts[0]));
      dead.href = link(q.dead);
      dead.title = `its dead-letter queue, after ${q.maxReceives} receives`;
    }
    picture.draw(q, 60000);
    for (const [i, n] of counts.entries()) {
      set(n, count(q.counts[i]));
      n.classList.toggle('zero', q.counts[i] === 0);
    }
    set(oldest, q.oldest ? duration(now() - q.oldest) : '–');
  };
  return e;
}

export function list() {
  const totals = states.map((s, i) => el('b', { class: colour(i) }));
  const howMany = el('b');
  const search = el('input', {
    type: 'search', id: 'search', placeholder: 'Search queues ( / )', 'aria-label': 'Search queues', value: chosen.search, autocomplete: 'off', spellcheck: false,
    oninput: () => { chosen.search = search.value; chosen.at = 0; box.scrollTop = 0; update(); },
  });
  const heads = columns.map((c) => el(c.value ? 'button' : 'span', {
    class: `head-${c.key === 'spark' ? 'spark' : c.class ?? c.key}`, title: c.title,
    onclick: c.value && (() => {
      chosen.down = chosen.sort === c.key ? !chosen.down : c.key !== 'name';
      chosen.sort = c.key;
      update();
    }),
  }, c.name));
  const space = el('div', { class: 'space' });
  const nothing = el('div', { class: 'nothing', hidden: true });
  const box = el('div', { class: 'rows', role: 'table', tabindex: 0, 'aria-label': 'Queues' }, space);
  const crew = workers();
  const e = el('div', { class: 'list' },
    el('div', { class: 'totals' },
      el('div', { class: 'tile' }, howMany, el('span', {}, 'Queues')),
      states.map((s, i) => el('div', { class: `tile ${colour(i)}`, title: s.sqs }, totals[i], el('span', {}, s.name)))),
    el('section', { class: 'panel' },
      el('div', { class: 'head' }, search),
      el('div', { class: 'row heads' }, heads), box, nothing), crew);
  const rows = [];
  let shown = [];

  function order() {
    const want = chosen.search.trim().toLowerCase();
    shown = store.queues.filter((q) => !want || q.name.toLowerCase().includes(want));
    const value = columns.find((c) => c.key === chosen.sort).value;
    if (chosen.sort !== 'name' || chosen.down) {
      const sign = chosen.down ? -1 : 1;
      shown = shown.map((q) => [value(q), q]).sort(([a, x], [b, y]) => (a < b ? -sign : a > b ? sign : x.name < y.name ? -1 : 1)).map(([, q]) => q);
    }
  }

  function draw() {
    const h = matchMedia('(max-width: 700px)').matches ? height.narrow : height.wide;
    space.style.height = `${shown.length * h}px`;
    const first = Math.max(0, Math.floor(box.scrollTop / h) - 3);
    const fit = Math.min(Math.ceil(box.clientHeight / h) + 6, shown.length - first);
    while (rows.length < fit) {
      rows.push(row());
      space.append(rows.at(-1));
    }
    for (const [i, r] of rows.entries()) r.show(i < fit ? shown[first + i] : null, (first + i) * h, first + i === chosen.at && document.activeElement === box);
  }

  function update() {
    order();
    set(howMany, count(store.queues.length));
    for (const [i, total] of totals.entries()) set(total, count(store.queues.reduce((sum, q) => sum + q.counts[i], 0)));
    for (const [i, c] of columns.entries()) {
      if (c.value) heads[i].dataset.sorted = chosen.sort === c.key ? (chosen.down ? 'down' : 'up') : '';
    }
    nothing.hidden = !store.began || shown.length > 0;
    set(nothing, store.queues.length ? `No queue has “${chosen.search}” in its name.` : 'There is no queue yet.');
    draw();
  }

  function select(i) {
    chosen.at = Math.max(0, Math.min(shown.length - 1, i));
    const h = matchMedia('(max-width: 700px)').matches ? height.narrow : height.wide;
    box.focus({ preventScroll: true });
    if (chosen.at * h < box.scrollTop) box.scrollTop = chosen.at * h;
    else if ((chosen.at + 1) * h > box.scrollTop + box.clientHeight) box.scrollTop = (chosen.at + 1) * h - box.clientHeight;
    draw();
  }

  box.addEventListener('scroll', draw, { passive: true });
  box.addEventListener('focus', draw);
  box.addEventListener('blur', draw);
  const sized = new ResizeObserver(draw);
  sized.observe(box);
  events.addEventListener('counts', update);
  e.end = () => {
    events.removeEventListener('counts', update);
    sized.disconnect();
    crew.end();
  };
  e.keys = {
    '/': () => search.focus(),
    ArrowDown: () => select(document.activeElement === box ? chosen.at + 1 : chosen.at),
    ArrowUp: () => select(chosen.at - 1),
    j: () => select(document.activeElement === box ? chosen.at + 1 : chosen.at),
    k: () => select(chosen.at - 1),
    Home: () => select(0),
    End: () => select(shown.length - 1),
    Enter: () => shown[chosen.at] && document.activeElement === box && (location.hash = link(shown[chosen.at].id)),
    Escape: () => {
      search.value = '';
      chosen.search = '';
      update();
    },
  };
  search.addEventListener('keydown', (event) => {
    if (event.key === 'Enter' || event.key === 'ArrowDown') {
      event.preventDefault();
      event.stopPropagation();
      if (event.key === 'Enter' && shown.length === 1) location.hash = link(shown[0].id);
      else select(0);
    } else if (event.key === 'Escape') e.keys.Escape();
  });
  e.start = update;
  return e;
}
