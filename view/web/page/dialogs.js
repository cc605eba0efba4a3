// Dialogs: a form with one action, or a question.
import { el } from './dom.js';

export function field(name, control, hint) {
  return el('label', { class: 'field' }, el('span', {}, name), control, hint && el('small', {}, hint));
}

// dialog shows a form. act does what its button says; the dialog stays open when act
// returns false. It is removed when it is closed.
export function dialog({ title, text, body = [], action, danger, act, closed }) {
  const done = el('button', { type: 'submit', class: danger ? 'danger' : 'primary' }, action ?? 'Close');
  const words = el('p', {}, text ?? '');
  const form = el('form', {
    onsubmit: async (event) => {
      event.preventDefault();
      if (!act) return e.close();
      done.disabled = true;
      const result = await act();
      done.disabled = false;
      if (result !== false) e.close();
    },
  },
  el('h2', {}, title), text !== undefined && words, body,
  el('div', { class: 'actions' }, action && el('button', { type: 'button', onclick: () => e.close() }, 'Cancel'), done));
  const e = el('dialog', {
    'aria-label': title,
    onclose: () => { e.remove(); closed?.(); },
    onclick: (event) => { if (event.target === e && !body.length) e.close(); },
    onkeydown: (event) => { if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) form.requestSubmit(); },
  }, form);
  e.say = (question, button) => {
    words.textContent = question;
    if (button) done.textContent = button;
  };
  document.body.append(e);
  e.showModal();
  return e;
}
