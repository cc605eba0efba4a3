// Counts over time: small stacked areas for the list, and the chart of one queue.
import { el, svg, set } from './dom.js';
import { clock, count, short } from './format.js';
import { now } from './live.js';

export const states = [
  { key: 'visible', name: 'Waiting', sqs: 'ApproximateNumberOfMessages', means: 'a receive would get them' },
  { key: 'in flight', name: 'In flight', sqs: 'ApproximateNumberOfMessagesNotVisible', means: 'received, not yet deleted' },
  { key: 'delayed', name: 'Delayed', sqs: 'ApproximateNumberOfMessagesDelayed', means: 'sent, not yet visible' },
];

export const colour = (i) => ['waiting', 'flight', 'delayed'][i];

// steps returns the points from a time on, the one that says what was at that time first.
function steps(points, from, to) {
  let i = points.length - 1;
  while (i > 0 && points[i][0] > from) i -= 1;
  return points.slice(Math.max(i, 0)).filter((p) => p[0] <= to);
}

// outline draws values that stay until the next, from x to x.
function outline(list, x, y, end) {
  let d = '';
  for (const [i, p] of list.entries()) d += i === 0 ? `M${x(p)} ${y(p)}` : `H${x(p)}V${y(p)}`;
  return d && `${d}H${end}`;
}

const W = 160;
const H = 30;

// spark makes a small chart of what is in a queue, stacked, on a scale of its own.
export function spark() {
  const paths = [2, 1, 0].map((i) => svg('path', { class: colour(i) })); // the total behind the others
  const e = svg('svg', { class: 'spark', viewBox: `0 0 ${W} ${H}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' }, ...paths);
  let drawn = '';
  e.draw = (q, span) => {
    const to = now();
    const from = to - span;
    const list = steps(q.points, from, to);
    const most = Math.max(1, ...list.map((p) => p[1] + p[2] + p[3]));
    const mark = `${q.id} ${list.length} ${list.length > 1 ? Math.round(to / 500) : ''} ${list.at(-1)} ${most}`;
    if (mark === drawn) return;
    drawn = mark;
    const x = (p) => (Math.max(0, (p[0] - from) / span) * W).toFixed(1);
    for (const [n, path] of paths.entries()) {
      const upTo = 3 - n; // of the counts
      const y = (p) => {
        let sum = 0;
        for (let i = 1; i <= upTo; i += 1) sum += p[i];
        return (H - (sum / most) * (H - 3)).toFixed(1);
      };
      const top = outline(list, x, y, W);
      const begin = list.length ? x(list[0]) : 0;
      path.setAttribute('d', top && `${top}V${H}H${begin}Z`);
    }
  };
  return e;
}

// nice returns a round number at or above n whose half and quarter are round too.
function nice(n) {
  if (n <= 4) return 4;
  const size = 10 ** Math.floor(Math.log10(n));
  return [1, 2, 4, 8, 10].map((f) => f * size).find((f) => f >= n);
}

const spans = [[60, '1 min'], [180, '3 min'], [600, '10 min']];

// chart makes the chart of one queue: three lines, one scale, values on hover.
export function chart() {
  let span = 180;
  let at = null; // the place of the pointer, 0 to 1
  let q = null;
  const grid = svg('g', { class: 'grid' });
  const areas = states.map((_, i) => svg('path', { class: `area ${colour(i)}` }));
  const lines = states.map((_, i) => svg('path', { class: `line ${colour(i)}` }));
  const hair = svg('line', { class: 'hair' });
  const dots = states.map((_, i) => svg('circle', { class: `dot ${colour(i)}`, r: 4 }));
  const picture = svg('svg', { class: 'plot', tabindex: 0, role: 'img' }, grid, ...areas, ...lines, hair, ...dots);
  const values = states.map(() => el('b'));
  const time = el('time');
  const tip = el('div', { class: 'tip', hidden: true }, time, states.map((s, i) => el('span', { class: colour(i) }, el('i'), s.name, values[i])));
  const buttons = spans.map(([seconds, name]) => el('button', {
    class: 'quiet', 'aria-pressed': String(seconds === span),
    onclick: () => {
      span = seconds;
      for (const [i, b] of buttons.entries()) b.setAttribute('aria-pressed', String(spans[i][0] === span));
      e.draw(q);
    },
  }, name));
  const e = el('section', { class: 'panel chart' },
    el('div', { class: 'head' }, el('h2', {}, 'Messages over time'), el('span', { class: 'grow' }), el('div', { class: 'choice' }, buttons)),
    el('div', { class: 'plotbox' }, picture, tip));

  const move = (x) => {
    at = x;
    e.draw(q);
  };
  const inside = { left: 44, right: 12, top: 10, bottom: 24 };
  picture.addEventListener('pointermove', (event) => {
    const box = picture.getBoundingClientRect();
    move(Math.min(1, Math.max(0, (event.clientX - box.left - inside.left) / (box.width - inside.left - inside.right))));
  });
  picture.addEventListener('pointerleave', () => move(null));
  picture.addEventListener('blur', () => move(null));
  picture.addEventListener('keydown', (event) => {
    const by = { ArrowLeft: -0.02, ArrowRight: 0.02 }[event.key];
    if (!by) return;
    event.preventDefault();
    move(Math.min(1, Math.max(0, (at ?? 1) + by)));
  });

  e.draw = (queue) => {
    q = queue;
    const box = picture.getBoundingClientRect();
    if (!q || box.width < 80) return;
    const to = now();
    const from = to - span * 1000;
    const list = steps(q.points, from, to);
    const most = nice(Math.max(0, ...list.flatMap((p) => p.slice(1))));
    const right = box.width - inside.right;
    const bottom = box.height - inside.bottom;
    const X = (t) => inside.left + Math.max(0, (t - from) / (to - from)) * (right - inside.left);
    const Y = (n) => bottom - (n / most) * (bottom - inside.top);
    picture.setAttribute('viewBox', `0 0 ${box.width} ${box.height}`);
    picture.setAttribute('aria-label', states.map((s, i) => `${s.name} ${q.counts[i]}`).join(', '));

    grid.replaceChildren();
    for (let i = 0; i <= 4; i += 1) {
      const y = Math.round(Y((most / 4) * i)) + 0.5;
      grid.append(svg('line', { x1: inside.left, x2: right, y1: y, y2: y }), text(inside.left - 8, y + 4, 'end', short((most / 4) * i)));
    }
    const marks = box.width < 500 ? 3 : 6;
    for (let i = 0; i <= marks; i += 1) {
      const ago = Math.round(span * (1 - i / marks));
      grid.append(text(X(to - ago * 1000), box.height - 6, i === 0 ? 'start' : i === marks ? 'end' : 'middle', ago ? `−${ago % 60 && ago > 60 ? `${Math.floor(ago / 60)}:${String(ago % 60).padStart(2, '0')}` : ago >= 60 ? `${ago / 60} min` : `${ago} s`}` : 'now'));
    }
    for (const i of [0, 1, 2]) {
      const d = outline(list, (p) => X(p[0]).toFixed(1), (p) => Y(p[i + 1]).toFixed(1), right);
      lines[i].setAttribute('d', d);
      areas[i].setAttribute('d', d && `${d}V${bottom}H${X(list[0][0]).toFixed(1)}Z`);
    }

    const t = at === null ? 0 : from + at * (to - from);
    const p = at === null ? null : list.findLast((one) => one[0] <= t);
    tip.hidden = !p;
    hair.style.display = p ? '' : 'none';
    for (const dot of dots) dot.style.display = p ? '' : 'none';
    if (!p) return;
    const x = X(t);
    for (const [name, value] of [['x1', x], ['x2', x], ['y1', inside.top], ['y2', bottom]]) hair.setAttribute(name, value);
    for (const [i, dot] of dots.entries()) {
      dot.setAttribute('cx', x);
      dot.setAttribute('cy', Y(p[i + 1]));
      set(values[i], count(p[i + 1]));
    }
    set(time, clock(t));
    tip.style.left = `${Math.min(x + 12, box.width - 170)}px`;
    if (x + 180 > box.width) tip.style.left = `${x - 170}px`;
  };
  new ResizeObserver(() => e.draw(q)).observe(picture);
  return e;
}

function text(x, y, anchor, content) {
  const t = svg('text', { x, y, 'text-anchor': anchor });
  t.textContent = content;
  return t;
}
