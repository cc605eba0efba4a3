// JSON laid out, token by token: numbers stay as they were sent, however long.
import { el } from './dom.js';

const most = 256 << 10;

export function isJSON(text) {
  if (text.length > most || !/^\s*[[{"]/.test(text)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const token = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

// layOut returns the tokens of a JSON text in lines, coloured by kind.
export function layOut(text) {
  const out = [];
  const put = (kind, s) => out.push(kind ? el('span', { class: kind }, s) : s);
  const tokens = text.match(token) ?? [];
  let depth = 0;
  const line = () => put('', `\n${'  '.repeat(depth)}`);
  for (const [i, t] of tokens.entries()) {
    const next = tokens[i + 1];
    if (t === '{' || t === '[') {
      put('', t);
      depth += 1;
      if (next !== '}' && next !== ']') line();
    } else if (t === '}' || t === ']') {
      depth -= 1;
      if (!['{', '['].includes(tokens[i - 1])) line();
      put('', t);
    } else if (t === ',') {
      put('', t);
      line();
    } else if (t === ':') put('', ': ');
    else if (t[0] === '"') put(next === ':' ? 'k' : 's', t);
    else put('v', t);
  }
  return out;
}
