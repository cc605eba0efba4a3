// Elements are made here and nowhere else, from texts, never from markup.

const svgNS = 'http://www.w3.org/2000/svg';

// el makes an element: properties, on… listeners, data- and aria- attributes, children.
export function el(tag, props = {}, ...children) {
  return fill(document.createElement(tag), props, children);
}

export function svg(tag, attributes = {}, ...children) {
  const e = document.createElementNS(svgNS, tag);
  for (const [name, value] of Object.entries(attributes)) e.setAttribute(name, value);
  e.append(...children);
  return e;
}

function fill(e, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (value === undefined || value === null) continue;
    if (name.startsWith('on')) e.addEventListener(name.slice(2), value);
    else if (name === 'class') e.className = value;
    else if (name.includes('-') || name === 'role' || name === 'for' || name === 'list') e.setAttribute(name, value);
    else e[name] = value;
  }
  e.append(...children.flat().filter((c) => c !== null && c !== undefined && c !== false));
  return e;
}

// set changes a text only if it is another, so that the browser has nothing to do.
export function set(e, text) {
  text = String(text);
  if (e.textContent !== text) e.textContent = text;
}

// toast tells what came of something, for a while.
export function toast(text, kind = 'good') {
  const e = el('div', { class: `toast ${kind}` }, text);
  document.getElementById('toasts').append(e);
  setTimeout(() => e.remove(), kind === 'bad' ? 9000 : 4000);
}
