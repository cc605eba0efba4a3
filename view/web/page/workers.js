// The workers, where the program knows them: what each has done, what it has in hand, and
// what can be done with it.
import { el, set } from './dom.js';
import { count, duration } from './format.js';
import { attempt, events, now, store } from './live.js';

function card() {
  const name = el('span');
  const done = el('b');
  const settings = el('small');
  const meter = el('progress', { max: 1 });
  const buttons = el('div', { class: 'do' });
  const latest = el('ol');
  const e = el('article', { class: 'worker' }, el('h3', {}, el('i'), name, done), settings, meter, buttons, latest);
  let offered = '';
  let told = '';
  let deeds = [];
  e.show = (w) => {
    e.dataset.state = w.state;
    set(name, w.name);
    name.title = `${w.state}, on ${w.queue}`;
    set(done, w.of ? `${count(w.done)} / ${count(w.of)}` : count(w.done));
    done.title = w.producer ? 'messages sent' : 'messages handled';
    set(settings, [w.state !== 'running' && w.state, w.settings].filter(Boolean).join(' · '));
    meter.hidden = !w.of;
    meter.value = w.of ? w.done / w.of : 0;
    const can = store.readOnly ? [] : (w.can ?? []);
    if (offered !== can.join()) {
      offered = can.join();
      buttons.replaceChildren(...can.map((action) => el('button', { class: 'quiet', onclick: () => attempt('work', { Worker: w.name, Action: action }) }, action)));
    }
    const news = JSON.stringify(w.latest);
    if (news !== told) {
      told = news;
      deeds = (w.latest ?? []).map((d) => {
        const left = el('span', { class: 'lease', hidden: !d.leaseEnds }, el('i'));
        const li = el('li', {}, el('em', {}, d.kind), el('span', { title: d.words }, d.words), left);
        li.dataset.kind = d.kind;
        return { li, d, left };
      });
      latest.replaceChildren(...deeds.map((d) => d.li));
    }
    e.tick();
  };
  e.tick = () => {
    for (const { li, d, left } of deeds) {
      if (!d.leaseEnds) continue;
      const until = d.leaseEnds - now();
      left.firstChild.style.width = `${Math.max(0, Math.min(100, (100 * until) / (d.leaseEnds - d.leaseBegan)))}%`;
      li.title = until > 0 ? `the lease runs for ${duration(until)} more` : 'the lease is over';
    }
  };
  return e;
}

export function workers() {
  const cards = new Map();
  const e = el('section', { class: 'crew', 'aria-label': 'Workers', hidden: true });
  const update = () => {
    e.hidden = store.workers.length === 0;
    for (const name of cards.keys()) if (!store.workers.some((w) => w.name === name)) cards.delete(name);
    const list = store.workers.map((w) => {
      if (!cards.has(w.name)) cards.set(w.name, card());
      cards.get(w.name).show(w);
      return cards.get(w.name);
    });
    if (list.length !== e.children.length || list.some((c, i) => e.children[i] !== c)) e.replaceChildren(...list);
  };
  const tick = () => { for (const c of cards.values()) c.tick(); };
  events.addEventListener('workers', update);
  events.addEventListener('counts', tick);
  update();
  e.end = () => {
    events.removeEventListener('workers', update);
    events.removeEventListener('counts', tick);
  };
  return e;
}
