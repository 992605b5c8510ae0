// Questions to the server, and pieces of the page.

/** What the server says of a file: an object, or a picture. A fault of the file throws a FileFault, any other one an Error. */
export async function ask(what, asked = {}, signal = undefined) {
  const given = Object.entries(asked).filter(([, value]) => value !== undefined && value !== '');
  const address = `api/${what}?${new URLSearchParams(given)}`;
  let answer;
  try {
    answer = await fetch(address, { signal });
  } catch (fault) {
    if (fault.name === 'AbortError') throw fault;
    throw new Error('The program in the terminal has ended.');
  }
  if (!answer.ok) throw new Error((await answer.text()) || `The server failed (${answer.status}).`);
  if (answer.headers.get('content-type') === 'image/png') {
    const picture = await createImageBitmap(await answer.blob());
    picture.fault = decodeURIComponent(answer.headers.get('x-fault') || '');
    return picture;
  }
  const found = await answer.json();
  if (found.fault) throw new FileFault(found);
  return found;
}

/** What is wrong with a file: message, hint (what can be done), changed (whether it is another file now). */
export class FileFault extends Error {
  constructor(found) {
    super(found.fault);
    this.hint = found.hint;
    this.changed = Boolean(found.changed);
  }
}

export const isAborted = (fault) => fault.name === 'AbortError';

/** An element with attributes (functions are listeners) and children. */
export function make(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(key, value);
    else if (value === true) element.setAttribute(key, '');
    else if (value !== false && value !== undefined) element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

/** A line that says what is wrong, and what can be done. */
export function faultLine(fault) {
  const line = make('p', { class: 'fault', role: 'alert' }, fault.message);
  if (fault.hint) line.append(make('code', {}, fault.hint));
  if (fault.changed) line.append(' ', make('button', { click: () => location.reload() }, 'Load it again'));
  return line;
}

export function bytes(n) {
  for (const unit of ['B', 'kB', 'MB']) {
    if (n < 1000) return unit === 'B' ? `${n} B` : `${n.toFixed(1)} ${unit}`;
    n /= 1000;
  }
  return `${n.toFixed(2)} GB`;
}

export const ratio = (size, raw) => (raw ? `${((100 * size) / raw).toFixed(1)} %` : '');

/** A text of a canvas in the colours of the page. */
export const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`);

/** Calls draw, once per frame at most, after each call of the function that is returned. */
export function perFrame(draw) {
  let asked = false;
  return () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => { asked = false; draw(); });
  };
}

/** A canvas as large as its place in device pixels. resized is called when that changes. Returns a function that ends this. */
export function filling(canvas, resized) {
  const watch = new ResizeObserver(() => {
    const ratio = devicePixelRatio || 1;
    const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
    if (!width || !height || (canvas.width === width && canvas.height === height)) return;
    canvas.width = width;
    canvas.height = height;
    resized();
  });
  watch.observe(canvas);
  return () => watch.disconnect();
}
