// The messages of a queue in one state, a page at a time, found by text and attribute.
import { el, set, toast } from './dom.js';
import { dialog } from './dialogs.js';
import { bytes, count, duration, messages as number, when } from './format.js';
import { attempt, can, events, get, now, store } from './live.js';
import { isJSON, layOut } from './json.js';
import { states } from './chart.js';

const size = 50;

export function messages(id) {
  let state = 'visible';
  let skip = 0;
  let found = null; // the latest answer
  let loading = false;
  let again = false;
  let lastCounts = '';
  let problem = '';
  const ended = new AbortController();
  const selected = new Set();
  const open = new Map(); // the whole messages that are open, by id
  const rows = new Map();

  const text = el('input', { type: 'search', placeholder: 'Text in the body, or a message id', 'aria-label': 'Text', id: 'text', autocomplete: 'off', spellcheck: false });
  const attribute = el('input', { type: 'search', placeholder: 'Attribute, or name=value', 'aria-label': 'Attribute', autocomplete: 'off', spellcheck: false });
  const hold = el('button', { class: 'quiet', 'aria-pressed': 'false', title: 'Keep this list as it is', onclick: () => hold.setAttribute('aria-pressed', String(hold.ariaPressed !== 'true')) }, 'Hold');
  const look = el('button', { class: 'primary', hidden: true, onclick: () => load() }, 'Look');
  const all = el('input', { type: 'checkbox', 'aria-label': 'Choose all on this page' });
  const chosenText = el('span');
  const removeButton = el('button', { class: 'danger', onclick: remove }, 'Delete');
  const redriveButton = el('button', { onclick: redrive }, 'Redrive');
  const chosenBar = el('div', { class: 'chosen', hidden: true }, chosenText, el('span', { class: 'grow' }), redriveButton, removeButton);
  const body = el('div', { class: 'messages' });
  const note = el('p', { class: 'note' });
  const back = el('button', { class: 'quiet', onclick: () => page(-1) }, '← Earlier');
  const on = el('button', { class: 'quiet', onclick: () => page(1) }, 'Later →');
  const e = el('section', { class: 'panel' },
    el('div', { class: 'head filters' }, all, text, attribute, el('span', { class: 'grow' }), look, hold),
    chosenBar, body, el('div', { class: 'foot' }, note, el('span', { class: 'grow' }), back, on));

  const costs = () => Boolean(store.lookCost);

  // load asks for the page; while an answer is under way, once more after it.
  async function load() {
    if (loading) {
      again = true;
      return;
    }
    loading = true;
    const asked = { queue: id, state, skip, max: size, text: text.value.trim(), attribute: attribute.value.trim() };
    try {
      const answer = await get('messages', asked, ended.signal);
      if (asked.state === state && asked.skip === skip) {
        found = answer;
        problem = '';
      }
    } catch (error) {
      if (ended.signal.aborted) return;
      problem = error.message;
    } finally {
      loading = false;
    }
    draw();
    if (again) {
      again = false;
      load();
    }
  }

  function page(by) {
    skip = Math.max(0, skip + by * size);
    load();
  }

  function show(which) {
    state = which;
    skip = 0;
    found = null;
    selected.clear();
    open.clear();
    draw();
    if (!costs()) load();
  }

  function draw() {
    const ms = found?.messages ?? [];
    const keep = new Set();
    const list = ms.map((m) => {
      const key = `${m.id} ${m.receives} ${m.since}`;
      keep.add(key);
      if (!rows.has(key)) rows.set(key, row(m));
      rows.get(key).update();
      return rows.get(key);
    });
    for (const key of rows.keys()) if (!keep.has(key)) rows.delete(key);
    if (list.length !== body.children.length || list.some((r, i) => body.children[i] !== r)) body.replaceChildren(...list);
    if (!list.length) body.replaceChildren(el('div', { class: 'nothing' }, nothing()));
    for (const one of selected) if (!ms.some((m) => m.id === one)) selected.delete(one);

    const filtered = text.value.trim() || attribute.value.trim();
    const total = store.byID.get(id)?.counts[states.findIndex((s) => s.key === state)] ?? 0;
    const range = list.length ? `${count(skip + 1)}–${count(skip + list.length)}` : '0';
    let said = filtered && found ? `${range} of ${count(found.found)} found among ${count(found.searched)}` : `${range} of ${count(total)}`;
    if (found && total > found.limit) said += ` · the first ${count(found.limit)} can be seen`;
    set(note, problem || (found ? said : ''));
    note.classList.toggle('bad', Boolean(problem));
    back.disabled = skip === 0;
    on.disabled = !found || skip + size >= (filtered ? found.found : Math.min(total, found.limit));
    look.hidden = !costs() || store.readOnly;
    look.title = store.lookCost;
    hold.hidden = costs();
    chosen();
  }

  function nothing() {
    if (problem) return problem;
    if (!found && costs()) return store.readOnly ? 'To look at messages here is to receive them, and this page is for looking only.' : store.lookCost;
    if (!found) return 'Looking…';
    if (text.value || attribute.value) return 'No message fits.';
    return { visible: 'No message is waiting.', 'in flight': 'No message is in flight.', delayed: 'No message is delayed.' }[state];
  }

  function chosen() {
    chosenBar.hidden = selected.size === 0;
    set(chosenText, `${number(selected.size)} chosen`);
    removeButton.hidden = !can('delete');
    redriveButton.hidden = !can('redriveChosen') || state !== 'visible' || !store.byID.get(id)?.sources.length;
    const choosable = can('delete') || can('redriveChosen');
    all.hidden = !choosable;
    e.classList.toggle('choosable', choosable);
    all.checked = selected.size > 0 && selected.size === found?.messages.length;
    all.indeterminate = selected.size > 0 && !all.checked;
  }

  function row(m) {
    const pick = el('input', { type: 'checkbox', 'aria-label': 'Choose this message', onchange: () => { selected[pick.checked ? 'add' : 'delete'](m.id); chosen(); } });
    const lease = el('span', { class: 'lease', hidden: !m.visibleAt }, el('i'));
    const left = el('span', { class: 'left' });
    const first = el('span', { class: 'preview' }, m.binary ? `${bytes(m.size)} of binary data` : m.body.slice(0, 300));
    const detail = el('div', { class: 'detail', hidden: true });
    const head = el('button', { class: 'line', 'aria-expanded': 'false', onclick: () => toggle() },
      first, el('span', { class: 'chips' }, m.attributes.slice(0, 3).map((a) => el('span', { class: 'chip' }, `${a.name}=${a.type.startsWith('Binary') ? '…' : a.value.slice(0, 40)}`)), m.group && el('span', { class: 'chip group' }, m.group)),
      el('span', { class: 'facts' }, m.receives > 0 && el('span', { class: m.receives > 1 ? 'tag warn' : 'tag', title: 'times received' }, `×${m.receives}`), left, lease));
    const e2 = el('article', { class: 'message' }, el('div', { class: 'top' }, pick, head), detail);
    async function toggle() {
      if (open.delete(m.id)) return e2.update();
      open.set(m.id, m);
      e2.update();
      if (!m.cut) return;
      try {
        open.set(m.id, await get('message', { queue: id, state, id: m.id }, ended.signal));
        detail.replaceChildren();
        e2.update();
      } catch (error) {
        if (!ended.signal.aborted) toast(error.message, 'bad');
      }
    }
    e2.update = () => {
      pick.checked = selected.has(m.id);
      const isOpen = open.has(m.id);
      head.setAttribute('aria-expanded', String(isOpen));
      detail.hidden = !isOpen;
      if (isOpen && !detail.firstChild) detail.append(...content(open.get(m.id)));
      const until = m.visibleAt - now();
      if (m.visibleAt) {
        set(left, until > 0 ? (state === 'delayed' ? `in ${duration(until)}` : `${duration(until)} left`) : 'due');
        lease.firstChild.style.width = `${Math.max(0, Math.min(100, (100 * until) / (m.visibleAt - m.since)))}%`;
      } else set(left, `${duration(now() - m.sent)} old`);
    };
    return e2;
  }

  function content(m) {
    const json = !m.binary && !m.cut && isJSON(m.body);
    const pre = el('pre', { class: 'body' });
    let laidOut = json;
    const show2 = () => pre.replaceChildren(...(laidOut ? layOut(m.body) : [m.body]));
    show2();
    const facts = [
      ['Message id', m.id], ['Size', bytes(m.size)], ['Sent', when(m.sent)], ['Received', m.receives ? `${m.receives === 1 ? 'once,' : `${count(m.receives)} times, first`} ${when(m.firstReceived)}` : 'never'],
      m.visibleAt && ['Visible at', when(m.visibleAt)], m.group && ['Group', m.group], m.deduplication && ['Deduplication id', m.deduplication],
      m.sequence && ['Sequence number', m.sequence], m.source && ['Given up by', m.source], m.trace && ['AWSTraceHeader', m.trace],
    ].filter(Boolean);
    return [
      el('div', { class: 'bodybar' }, m.binary && el('span', { class: 'tag' }, 'binary, in base64'), m.cut && el('span', { class: 'tag warn' }, 'the beginning'),
        json && el('button', { class: 'quiet', onclick: (event) => { laidOut = !laidOut; event.target.textContent = laidOut ? 'As sent' : 'Laid out'; show2(); } }, 'As sent'),
        el('button', { class: 'quiet', onclick: () => navigator.clipboard?.writeText(m.body).then(() => toast('Copied'), () => toast('The browser does not let the page copy', 'bad')) }, 'Copy')),
      pre,
      m.attributes.length > 0 && table('Attributes', m.attributes.map((a) => [a.name, a.value, a.type])),
      table('Message', facts),
    ].filter(Boolean);
  }

  function remove() {
    const ids = [...selected];
    dialog({
      title: 'Delete messages', text: `Delete ${number(ids.length)} of ${id}? Nobody will receive ${ids.length === 1 ? 'it' : 'them'}.`, action: `Delete ${number(ids.length)}`, danger: true,
      act: async () => {
        const done = await attempt('delete', { Queue: id, IDs: ids }, (r) => `Deleted ${number(r.deleted)}${r.deleted < ids.length ? `; ${count(ids.length - r.deleted)} had gone` : ''}`);
        if (done) { selected.clear(); load(); }
        return Boolean(done);
      },
    });
  }

  async function redrive() {
    const ids = [...selected];
    const done = await attempt('redrive', { Queue: id, To: '', IDs: ids }, (r) => `Moved ${number(r.moved)} back${r.moved < ids.length ? `; ${count(ids.length - r.moved)} could not be moved` : ''}`);
    if (done) { selected.clear(); load(); }
  }

  all.addEventListener('change', () => {
    selected.clear();
    if (all.checked) for (const m of found?.messages ?? []) selected.add(m.id);
    draw();
  });
  let typed;
  for (const input of [text, attribute]) {
    input.addEventListener('input', () => {
      clearTimeout(typed);
      typed = setTimeout(() => { skip = 0; if (!costs()) load(); }, 200);
    });
  }

  // The list follows the counts, as far as looking is free.
  const follow = () => {
    for (const r of rows.values()) r.update();
    const counts = String(store.byID.get(id)?.counts);
    if (costs() || hold.ariaPressed === 'true' || (counts === lastCounts && state !== 'in flight')) return;
    lastCounts = counts;
    load();
  };
  events.addEventListener('counts', follow);
  e.show = show;
  e.search = () => text.focus();
  e.end = () => {
    events.removeEventListener('counts', follow);
    ended.abort();
  };
  return e;
}

export function table(name, pairs) {
  return el('table', { class: 'facts' }, el('caption', {}, name),
    el('tbody', {}, pairs.map(([k, v, type]) => el('tr', {}, el('th', { scope: 'row' }, k), el('td', {}, v), type !== undefined && el('td', { class: 'type' }, type)))));
}
