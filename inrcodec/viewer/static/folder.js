// The contact sheet: a card for each file, filled when it comes into view.
import { ask, bytes, colour, isAborted, make, ratio } from './ask.js';

const MOST = 4; // questions at a time
const ICONS = { sound: '♪', line: '∿', picture: '▦', bundle: '☰' };

export class Folder {
  constructor(sheet, filter, count, files) {
    this.waiting = new Set();
    this.running = new Map();
    this.cards = new Map();
    this.watch = new IntersectionObserver((entries) => entries.forEach((entry) => this.#seen(entry)), { rootMargin: '300px' });
    for (const file of files) {
      const well = make('span', { class: 'well' });
      const text = make('span', { class: 'text' }, make('b', {}, file.name));
      const link = make('a', file.fault ? {} : { href: `#${encodeURIComponent(file.name)}` }, well, text);
      const item = make('li', {}, link);
      sheet.append(item);
      this.cards.set(item, { file, well, text });
      if (file.fault) this.#fail(this.cards.get(item), file.fault);
      else this.watch.observe(item);
    }
    filter.addEventListener('input', () => {
      const wanted = filter.value.toLowerCase();
      let shown = 0;
      for (const [item, { file }] of this.cards) {
        item.hidden = !file.name.toLowerCase().includes(wanted);
        shown += !item.hidden;
      }
      count.textContent = wanted ? `${shown} of ${files.length}` : '';
    });
    if (!files.length) sheet.after(make('p', { class: 'note' }, 'There is no .linr file in this folder.'));
  }

  #seen({ target, isIntersecting }) {
    if (isIntersecting) this.waiting.add(target);
    else {
      this.waiting.delete(target);
      this.running.get(target)?.abort();
    }
    this.#next();
  }

  #next() {
    for (const item of this.waiting) {
      if (this.running.size >= MOST) return;
      this.waiting.delete(item);
      if (!this.running.has(item)) this.#fill(item);
    }
  }

  async #fill(item) {
    const card = this.cards.get(item);
    const end = new AbortController();
    this.running.set(item, end);
    try {
      const about = await ask('card', { name: card.file.name }, end.signal);
      card.well.replaceChildren(make('span', { class: 'icon', 'aria-hidden': 'true' }, ICONS[about.icon]));
      card.text.replaceChildren(make('b', {}, card.file.name), about.what, make('br'), `${bytes(about.size)} · ${ratio(about.size, about.raw)}`);
      const small = await ask('thumbnail', { name: card.file.name, version: about.version }, end.signal);
      if (small.wave) card.well.replaceChildren(waveOf(small.wave));
      else if (!small.none) card.well.replaceChildren(canvasOf(small));
      this.watch.unobserve(item);
    } catch (fault) {
      if (!isAborted(fault)) {
        this.#fail(card, fault.message);
        this.watch.unobserve(item);
      }
    }
    this.running.delete(item);
    this.#next();
  }

  #fail(card, text) {
    card.well.replaceChildren(make('span', { class: 'icon', 'aria-hidden': 'true' }, '⚠'));
    card.text.replaceChildren(make('b', {}, card.file.name), make('span', { class: 'fault' }, text));
  }
}

function canvasOf(picture) {
  const canvas = make('canvas', { width: picture.width, height: picture.height });
  if (Math.max(picture.width, picture.height) < 72) {
    canvas.className = 'small';
    const times = Math.floor(128 / Math.max(picture.width, picture.height));
    canvas.style.width = `${picture.width * times}px`;
    canvas.style.height = `${picture.height * times}px`;
  }
  canvas.getContext('2d').drawImage(picture, 0, 0);
  return canvas;
}

function waveOf(wave) {
  const [width, height] = [wave.low[0].length, 90];
  const canvas = make('canvas', { width, height, class: 'wave' });
  const pen = canvas.getContext('2d');
  pen.fillStyle = colour('accent');
  const largest = Math.max(...[...wave.low.flat(), ...wave.high.flat()].map((x) => Math.abs(x ?? 0))) || 1;
  for (let i = 0; i < width; i++) {
    const low = Math.min(...wave.low.map((channel) => channel[i] ?? 0));
    const high = Math.max(...wave.high.map((channel) => channel[i] ?? 0));
    const [top, bottom] = [(1 - high / largest) * (height / 2), (1 - low / largest) * (height / 2)];
    pen.fillRect(i, top, 1, Math.max(1, bottom - top));
  }
  return canvas;
}
