// How numbers, times and sizes are written.

const grouped = new Intl.NumberFormat('en');

export const count = (n) => grouped.format(n);

// short writes a number in four or five characters.
export function short(n) {
  for (const [unit, size] of [['G', 1e9], ['M', 1e6], ['k', 1e3]]) {
    if (n >= 10 * size) return `${Math.round(n / size)}${unit}`;
    if (n >= size) return `${(n / size).toFixed(1).replace(/\.0$/, '')}${unit}`;
  }
  return String(n);
}

// duration writes milliseconds as people say them, in at most two units.
export function duration(ms) {
  let s = Math.max(0, ms / 1000);
  if (s < 10) return `${s.toFixed(1)} s`;
  s = Math.round(s);
  const parts = [['d', 86400], ['h', 3600], ['min', 60], ['s', 1]];
  const i = parts.findIndex(([, size]) => s >= size);
  const [unit, size] = parts[i];
  const whole = `${Math.floor(s / size)} ${unit}`;
  const rest = parts[i + 1] && Math.floor((s % size) / parts[i + 1][1]);
  return rest ? `${whole} ${rest} ${parts[i + 1][0]}` : whole;
}

export function bytes(n) {
  if (n < 1024) return `${n} B`;
  return n < 1 << 20 ? `${(n / 1024).toFixed(1)} KiB` : `${(n / (1 << 20)).toFixed(1)} MiB`;
}

export const clock = (ms) => new Date(ms).toLocaleTimeString('en-GB');

export const when = (ms) => (ms ? new Date(ms).toLocaleString('sv-SE') : '–');

export const messages = (n) => (n === 1 ? '1 message' : `${count(n)} messages`);

export const plain = (id) => id.slice(id.lastIndexOf('/') + 1);
