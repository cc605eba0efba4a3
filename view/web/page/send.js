// The form that sends a message.
import { el, toast } from './dom.js';
import { dialog, field } from './dialogs.js';
import { bytes } from './format.js';
import { attempt } from './live.js';

const last = new Map(); // what was sent to each queue last, to be sent again with a change

export function send(q) {
  const before = last.get(q.id) ?? { body: '', delay: '', group: '', deduplication: '', attributes: [] };
  const body = el('textarea', { required: true, rows: 7, class: 'code', spellcheck: false, value: before.body, 'data-name': 'body' });
  const size = el('small');
  const measure = () => { size.textContent = bytes(new TextEncoder().encode(body.value).length); };
  body.addEventListener('input', measure);
  measure();
  const delay = el('input', { type: 'number', min: 0, max: 900, step: 1, placeholder: 'the queue’s own', value: before.delay, 'data-name': 'delay' });
  const group = el('input', { maxLength: 128, required: q.fifo, value: before.group, placeholder: q.fifo ? '' : 'none', 'data-name': 'group' });
  const deduplication = el('input', { maxLength: 128, value: before.deduplication, placeholder: 'by content, if the queue does so' });
  const rows = el('div', { class: 'attributerows' });
  const add = (a = { name: '', type: 'String', value: '' }) => {
    const e = el('div', { class: 'attribute' },
      el('input', { placeholder: 'name', value: a.name, required: true, 'aria-label': 'Attribute name' }),
      el('input', { value: a.type, list: 'types', required: true, 'aria-label': 'Attribute type' }),
      el('input', { placeholder: 'value', value: a.value, required: true, 'aria-label': 'Attribute value' }),
      el('button', { type: 'button', class: 'quiet', 'aria-label': 'Remove this attribute', onclick: () => e.remove() }, '×'));
    rows.append(e);
  };
  before.attributes.forEach(add);
  dialog({
    title: `Send to ${q.name}`,
    body: [
      field('Body', body), size,
      el('div', { class: 'pair' }, !q.fifo && field('Delay, seconds', delay, '0 to 900'), field('Group', group), q.fifo && field('Deduplication id', deduplication)),
      el('div', { class: 'field' }, el('span', {}, 'Attributes'), rows, el('button', { type: 'button', class: 'quiet', onclick: () => add() }, '+ Attribute')),
      el('datalist', { id: 'types' }, ['String', 'Number', 'Binary'].map((t) => el('option', { value: t }))),
    ],
    action: 'Send',
    act: async () => {
      const attributes = [...rows.children].map((r) => {
        const [name, type, value] = [...r.querySelectorAll('input')].map((i) => i.value);
        return { name, type, value };
      });
      last.set(q.id, { body: body.value, delay: delay.value, group: group.value, deduplication: deduplication.value, attributes });
      const sent = await attempt('send', {
        Queue: q.id, Body: body.value, Delay: delay.value === '' ? null : Number(delay.value), Group: group.value, Deduplication: deduplication.value, Attributes: attributes,
      });
      if (sent) toast(`Sent ${sent.id}`);
      return Boolean(sent);
    },
  });
  body.focus();
}
