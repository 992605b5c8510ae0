// A picture, a page of a stack, or a slice of an array: moved, enlarged, and seen as its bits, its costs or its network.
import { ask, colour, faultLine, filling, isAborted, make, perFrame } from './ask.js';

const SIDE = 512; // pixels of a part that is asked for
const AT_ONCE = 3; // parts that are asked for at a time
const MOST = 160; // parts that are kept, or twice as many as are visible
const STEPS = 4096; // rows and columns that become one pixel of a part, at most
const BLOCK = 32; // pixels a side of which values are asked for
const LARGEST = 64; // device pixels of a pixel, at most
const TOPS = [0.25, 0.5, 1, 2, 4, 8, 16, 32, 64];

export function showPicture(place, about) {
  const view = new PictureView(place, about);
  return () => view.leave();
}

class PictureView {
  constructor(place, about) {
    this.about = about;
    this.file = { name: about.name, version: about.version };
    [this.height, this.width] = about.axes.slice(-2);
    this.page = about.axes.slice(0, -2).map((n) => (about.kind === 'array' ? Math.floor(n / 2) : 0));
    this.mode = about.lossy ? 'network' : 'picture';
    this.plane = -1;
    this.bit = about.bits - 1;
    this.channel = 0;
    this.top = TOPS.find((top) => top >= 1.5 * about.coded) || TOPS.at(-1);
    this.parts = new Map(); // by key: a bitmap
    this.asked = new Map(); // by key: an AbortController
    this.failed = new Set();
    this.values = new Map();
    this.scale = 1; // device pixels of a pixel
    this.left = this.above = 0; // the pixel at the corner of the canvas
    this.fitted = true;
    this.pointer = null; // the pixel under it
    const soon = perFrame(() => this.#draw());
    this.redraw = () => { this.stage.dataset.missing = ''; soon(); }; // unknown until it is drawn
    this.#build(place);
    this.#keys();
    this.#touch();
    this.stopFilling = filling(this.canvas, () => (this.fitted ? this.fit() : this.redraw()));
    if (this.mode === 'picture' && about.kind === 'image') this.#preview();
    this.#layer();
  }

  leave() {
    this.left_for_good = true;
    this.stopFilling();
    this.asked.forEach((end) => end.abort());
    this.ending?.abort();
  }

  // --- the page ---------------------------------------------------------------------------------------------------

  #build(place) {
    const { about } = this;
    const button = (text, label, click) => make('button', { type: 'button', 'aria-label': label, title: label, click }, text);
    this.modes = [['picture', 'Picture'], ['cost', 'Bit cost'], ['bits', 'Bit-planes'], ['network', 'Network alone']].map(([mode, text]) => {
      const chosen = button(text, text, () => this.#choose({ mode }));
      chosen.dataset.mode = mode;
      chosen.disabled = about.lossy && mode !== 'network';
      return chosen;
    });
    this.zoom = make('span', { class: 'soft' });
    const tools = make('div', { class: 'tools' },
      make('span', { class: 'group', role: 'group', 'aria-label': 'what is shown' }, ...this.modes),
      make('span', { class: 'gap' }),
      make('span', { class: 'group', role: 'group', 'aria-label': 'size' },
        button('−', 'smaller', () => this.#zoomBy(0.5)), button('+', 'larger', () => this.#zoomBy(2)),
        button('Fit', 'all of it', () => this.fit()), button('1:1', 'a pixel for a pixel', () => this.#zoomTo(1))),
      this.zoom);
    this.options = make('div', { class: 'tools' });
    this.canvas = make('canvas', { tabindex: '0', role: 'img', 'aria-label': `${about.name}, ${this.width} by ${this.height} pixels. Arrow keys move it, + and − change its size, 0 shows all of it.` });
    this.busy = make('span', { class: 'busy', hidden: true }, 'decoding…');
    this.over = make('p', { class: 'over', hidden: true });
    this.stage = make('div', { class: 'stage' }, this.canvas, this.busy, this.over);
    this.status = make('p', { class: 'status', 'aria-live': 'off' }, ' ');
    this.notes = make('div');
    place.replaceChildren(tools, this.#sliders(), this.stage, this.status, this.options, this.notes);
    this.pen = this.canvas.getContext('2d');
  }

  #sliders() {
    const lines = this.page.map((at, axis) => {
      const count = this.about.axes[axis];
      const first = this.about.kind === 'stack' ? 1 : 0;
      const number = make('output', {}, '');
      const slider = make('input', { type: 'range', min: 0, max: count - 1, value: at, 'aria-label': this.about.kind === 'stack' ? 'page' : `place on axis ${axis}` });
      const tell = () => { number.textContent = `${this.page[axis] + first} ${first ? `of ${count}` : `of 0 to ${count - 1}`}`; };
      slider.addEventListener('input', () => {
        const page = [...this.page];
        page[axis] = Number(slider.value);
        this.#choose({ page });
        tell();
      });
      tell();
      return make('label', {}, first ? 'Page' : `Axis ${axis}`, slider, number);
    });
    return make('div', { class: 'tools', hidden: !lines.length }, ...lines);
  }

  #choose(changed) {
    Object.assign(this, changed);
    this.#layer(!('mode' in changed));
  }

  /** Show another layer: forget what was asked, and ask anew. kept: whether the options of the layer stay as they are. */
  #layer(kept = false) {
    const { about } = this;
    this.asked.forEach((end) => end.abort());
    this.asked.clear();
    this.failed.clear();
    this.values.clear();
    this.notes.replaceChildren();
    for (const button of this.modes) button.setAttribute('aria-pressed', String(button.dataset.mode === this.mode));
    if (!kept) this.options.replaceChildren(...this.#optionsOf(this.mode));
    this.options.hidden = !this.options.childNodes.length;
    const notes = [];
    this.blocked = this.mode === 'network' && about.network !== '';
    this.over.hidden = !this.blocked;
    this.over.textContent = about.network;
    this.busy.hidden = true;
    if (this.mode === 'network' && !about.network) notes.push('What the network alone says, without the coded bits.');
    if (this.mode === 'picture' && about.dropped > 0) notes.push(`The first ${about.channels.length - about.dropped} of ${about.channels.length} channels are shown.`);
    if (this.mode === 'picture' && about.channels[0].startsWith('real')) notes.push('The magnitudes of complex numbers are shown.');
    this.notes.append(...notes.map((text) => make('p', { class: 'note' }, text)));
    if (!about.nominal && ['picture', 'network'].includes(this.mode) && !this.blocked) this.#span();
    this.#tell();
    this.redraw();
  }

  #optionsOf(mode) {
    const choice = (label, options, chosen, choose) => {
      const select = make('select', {}, ...options.map(([value, text]) => make('option', { value, selected: value === chosen }, text)));
      select.addEventListener('change', () => choose(Number(select.value)));
      return make('label', {}, label, select);
    };
    if (mode === 'cost') {
      const planes = [[-1, 'all together'], ...this.about.planes.map((name, n) => [n, name])];
      const end = make('span', {}, `${this.top}`);
      return [
        choice('Plane', planes, this.plane, (plane) => this.#choose({ plane })),
        choice('Brightest', TOPS.map((top) => [top, `${top} bits`]), this.top, (top) => { end.textContent = top; this.#choose({ top }); }),
        make('span', { class: 'scale' }, '0', make('i'), end, 'bits per pixel'),
      ];
    }
    if (mode === 'bits') {
      const number = make('output', {}, `${this.bit}`);
      const slider = make('input', { type: 'range', min: 0, max: this.about.bits - 1, value: this.bit, 'aria-label': 'bit' });
      slider.addEventListener('input', () => { number.textContent = slider.value; this.#choose({ bit: Number(slider.value) }); });
      const channels = this.about.channels.map((name, n) => [n, name]);
      return [
        ...(channels.length > 1 ? [choice('Channel', channels, this.channel, (channel) => this.#choose({ channel }))] : []),
        make('label', {}, 'Bit', slider, number), make('span', { class: 'soft' }, `0 is the lowest of ${this.about.bits}`),
      ];
    }
    return [];
  }

  async #span() {
    const page = this.page.join();
    try {
      const { span } = await ask('span', { ...this.file, page });
      if (span && page === this.page.join() && ['picture', 'network'].includes(this.mode) && !this.left_for_good) {
        this.spanLine?.remove();
        this.spanLine = make('p', { class: 'note' }, `Black is ${span[0]}, white ${span[1]}.`);
        this.notes.append(this.spanLine);
      }
    } catch (fault) {
      if (!isAborted(fault)) this.#fault(fault);
    }
  }

  async #preview() {
    try {
      const found = await ask('preview', this.file);
      if (!found.none) { this.preview = found; this.redraw(); }
    } catch { /* the picture is decoded in any case, and says what is wrong */ }
  }

  #fault(fault) {
    if (this.left_for_good || [...this.notes.querySelectorAll('.fault')].some((line) => line.textContent.startsWith(fault.message))) return;
    this.notes.prepend(faultLine(fault));
  }

  // --- place and size ---------------------------------------------------------------------------------------------

  fit() {
    const { width, height } = this.canvas;
    const scale = Math.min(width / this.width, height / this.height);
    this.scale = scale > 4 ? Math.min(Math.floor(scale), 16) : scale; // a fraction of a pixel is not seen there
    this.left = (this.width - width / this.scale) / 2;
    this.above = (this.height - height / this.scale) / 2;
    this.fitted = true;
    this.redraw();
  }

  #zoomTo(scale, x = this.canvas.width / 2, y = this.canvas.height / 2) {
    const least = Math.min(1, this.canvas.width / this.width / 2, this.canvas.height / this.height / 2);
    const wanted = Math.min(LARGEST, Math.max(least, scale));
    this.left += x / this.scale - x / wanted;
    this.above += y / this.scale - y / wanted;
    this.scale = wanted;
    this.#moved();
  }

  #zoomBy(times, x, y) {
    this.#zoomTo(this.scale * times, x, y);
  }

  #move(x, y) {
    this.left += x / this.scale;
    this.above += y / this.scale;
    this.#moved();
  }

  #moved() {
    const [wide, high] = [this.canvas.width / this.scale, this.canvas.height / this.scale];
    this.left = Math.min(Math.max(this.left, -wide * 0.9), this.width - wide * 0.1);
    this.above = Math.min(Math.max(this.above, -high * 0.9), this.height - high * 0.1);
    this.fitted = false;
    this.redraw();
  }

  // --- drawing ----------------------------------------------------------------------------------------------------

  get layer() {
    const page = this.page.join();
    if (this.mode === 'cost') return { mode: 'cost', page, plane: this.plane, top: this.top };
    if (this.mode === 'bits') return { mode: 'bits', page, plane: this.bit, channel: this.channel };
    return { mode: this.mode, page };
  }

  get step() {
    return Math.min(STEPS, 2 ** Math.max(0, Math.floor(Math.log2(1 / this.scale) + 1e-6)));
  }

  #visible(step) {
    const side = SIDE * step;
    const right = Math.min(this.width, this.left + this.canvas.width / this.scale);
    const below = Math.min(this.height, this.above + this.canvas.height / this.scale);
    const found = [];
    for (let y = Math.floor(Math.max(0, this.above) / side) * side; y < below; y += side) {
      for (let x = Math.floor(Math.max(0, this.left) / side) * side; x < right; x += side) {
        found.push([x, y, Math.min(side, this.width - x), Math.min(side, this.height - y)]);
      }
    }
    return found;
  }

  #draw() {
    if (this.left_for_good || !this.canvas.width) return;
    const { pen, canvas, scale } = this;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, canvas.width, canvas.height);
    this.zoom.textContent = `${scale >= 0.1 ? Math.round(scale * 100) : (scale * 100).toFixed(1)} %`;
    if (this.blocked) {
      this.stage.dataset.missing = 0;
      return;
    }
    pen.imageSmoothingEnabled = scale < 1;
    this.#chequers();
    if (this.mode === 'picture' && this.preview) this.#put(this.preview, 0, 0, this.width, this.height);
    const layer = JSON.stringify(this.layer);
    const step = this.step;
    const known = [...this.parts.entries()].filter(([, part]) => part.layer === layer).sort(([, a], [, b]) => b.step - a.step);
    const ordered = [...known.filter(([, part]) => part.step !== step), ...known.filter(([, part]) => part.step === step)];
    for (const [, part] of ordered) this.#put(part.bitmap, ...part.area);
    this.#want(layer, step);
  }

  #put(bitmap, x, y, width, height) {
    const { scale } = this;
    const [left, above] = [Math.round((x - this.left) * scale), Math.round((y - this.above) * scale)];
    const [right, below] = [Math.round((x + width - this.left) * scale), Math.round((y + height - this.above) * scale)];
    if (right < 0 || below < 0 || left > this.canvas.width || above > this.canvas.height) return;
    this.pen.drawImage(bitmap, left, above, right - left, below - above);
  }

  /** What is behind transparent pixels. */
  #chequers() {
    const { scale, pen } = this;
    const [left, above] = [Math.max(0, -this.left * scale), Math.max(0, -this.above * scale)];
    const right = Math.min(this.canvas.width, (this.width - this.left) * scale);
    const below = Math.min(this.canvas.height, (this.height - this.above) * scale);
    pen.fillStyle = this.chequers ??= pen.createPattern(chequered(), 'repeat');
    if (this.about.channels.at(-1) === 'alpha') pen.fillRect(left, above, right - left, below - above);
    else {
      pen.fillStyle = colour('line');
      pen.fillRect(left, above, right - left, below - above);
    }
  }

  #want(layer, step) {
    const middle = [this.left + this.canvas.width / this.scale / 2, this.above + this.canvas.height / this.scale / 2];
    const far = ([x, y, width, height]) => Math.hypot(x + width / 2 - middle[0], y + height / 2 - middle[1]);
    const wanted = new Map(this.#visible(step).sort((a, b) => far(a) - far(b)).map((area) => [`${layer} ${step} ${area}`, area]));
    for (const [key, end] of this.asked) if (!wanted.has(key)) { end.abort(); this.asked.delete(key); }
    this.kept = Math.max(MOST, 2 * wanted.size);
    let missing = 0;
    for (const [key, area] of wanted) {
      const part = this.parts.get(key);
      if (part) { this.parts.delete(key); this.parts.set(key, part); } // the last ones that were seen are kept
      if (part || this.failed.has(key)) continue;
      missing += 1;
      if (!this.asked.has(key) && this.asked.size < AT_ONCE) this.#ask(key, layer, step, area);
    }
    this.busy.hidden = !missing;
    this.stage.dataset.missing = missing;
  }

  async #ask(key, layer, step, area) {
    const end = new AbortController();
    this.asked.set(key, end);
    try {
      const bitmap = await ask('picture', { ...this.file, ...JSON.parse(layer), area: area.join(), step }, end.signal);
      this.parts.set(key, { bitmap, layer, step, area });
      if (bitmap.fault) this.#fault(Object.assign(new Error(bitmap.fault), { hint: '' }));
      for (const old of this.parts.keys()) {
        if (this.parts.size <= this.kept) break;
        this.parts.get(old).bitmap.close();
        this.parts.delete(old);
      }
    } catch (fault) {
      if (!isAborted(fault)) { this.failed.add(key); this.#fault(fault); }
    }
    if (this.asked.get(key) === end) this.asked.delete(key);
    this.redraw();
  }

  // --- values -----------------------------------------------------------------------------------------------------

  #point(x, y) {
    this.pointer = [Math.floor(this.left + x / this.scale), Math.floor(this.above + y / this.scale)];
    this.#tell();
  }

  /** Say the value of the pixel under the pointer. */
  #tell() {
    clearTimeout(this.soon);
    const [x, y] = this.pointer || [-1, -1];
    if (x < 0 || y < 0 || x >= this.width || y >= this.height || this.blocked) {
      this.status.textContent = ' ';
      return;
    }
    const area = [Math.floor(x / BLOCK) * BLOCK, Math.floor(y / BLOCK) * BLOCK];
    const key = JSON.stringify([this.layer, area]);
    const rows = this.values.get(key);
    const where = `x ${x}, y ${y}`;
    if (rows) {
      this.status.textContent = `${where}: ${this.#words(rows[y - area[1]][x - area[0]])}`;
      return;
    }
    this.status.textContent = `${where}: …`;
    this.soon = setTimeout(async () => {
      this.ending?.abort();
      this.ending = new AbortController();
      const size = [Math.min(BLOCK, this.width - area[0]), Math.min(BLOCK, this.height - area[1])];
      try {
        const found = await ask('values', { ...this.file, ...this.layer, area: [...area, ...size].join() }, this.ending.signal);
        this.values.set(key, found.values);
        this.#tell();
      } catch (fault) {
        if (!isAborted(fault)) this.#fault(fault);
      }
    }, 60);
  }

  #words(pixel) {
    if (this.mode === 'cost') return `${pixel[0]} bits`;
    const { channels } = this.about;
    if (pixel.length === 1) return pixel[0];
    return channels[0].startsWith('real') || pixel.length !== channels.length ? pixel.join('  ') : pixel.map((value, n) => `${channels[n]} ${value}`).join('  ');
  }

  // --- keyboard, mouse, touch ---------------------------------------------------------------------------------------

  #keys() {
    const far = () => 64 * (devicePixelRatio || 1);
    const turn = (by) => {
      const slider = this.canvas.closest('section').querySelector('input[type="range"]');
      if (this.page.length) { slider.value = Number(slider.value) + by; slider.dispatchEvent(new Event('input')); }
    };
    const keys = {
      ArrowLeft: () => this.#move(-far(), 0), ArrowRight: () => this.#move(far(), 0),
      ArrowUp: () => this.#move(0, -far()), ArrowDown: () => this.#move(0, far()),
      '+': () => this.#zoomBy(2), '=': () => this.#zoomBy(2), '-': () => this.#zoomBy(0.5),
      0: () => this.fit(), 1: () => this.#zoomTo(1), PageDown: () => turn(1), PageUp: () => turn(-1),
    };
    this.canvas.addEventListener('keydown', (event) => {
      if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      keys[event.key]();
      this.#point(this.canvas.width / 2, this.canvas.height / 2); // the pixel in the middle stands for a pointer
    });
  }

  #touch() {
    const { canvas } = this;
    const down = new Map();
    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      return [((event.clientX - box.left) * canvas.width) / box.width, ((event.clientY - box.top) * canvas.height) / box.height];
    };
    canvas.addEventListener('pointerdown', (event) => {
      canvas.setPointerCapture(event.pointerId);
      down.set(event.pointerId, at(event));
      canvas.classList.add('held');
    });
    canvas.addEventListener('pointermove', (event) => {
      const here = at(event);
      const before = down.get(event.pointerId);
      if (before) {
        const [other] = [...down].filter(([id]) => id !== event.pointerId).map(([, place]) => place);
        if (other) {
          const apart = (a, b) => Math.max(1, Math.hypot(a[0] - b[0], a[1] - b[1]));
          const middle = [(here[0] + other[0]) / 2, (here[1] + other[1]) / 2];
          this.#move((before[0] - here[0]) / 2, (before[1] - here[1]) / 2);
          this.#zoomBy(apart(here, other) / apart(before, other), ...middle);
        } else this.#move(before[0] - here[0], before[1] - here[1]);
        down.set(event.pointerId, here);
      }
      this.#point(...here);
    });
    const up = (event) => { down.delete(event.pointerId); if (!down.size) canvas.classList.remove('held'); };
    canvas.addEventListener('pointerup', up);
    canvas.addEventListener('pointercancel', up);
    canvas.addEventListener('wheel', (event) => {
      event.preventDefault();
      const lines = event.deltaMode ? 16 : 1;
      this.#zoomBy(2 ** (-event.deltaY * lines / (event.ctrlKey ? 100 : 300)), ...at(event));
      this.#point(...at(event));
    }, { passive: false });
    canvas.addEventListener('dblclick', (event) => this.#zoomBy(2, ...at(event)));
  }
}

function chequered() {
  const canvas = make('canvas', { width: 16, height: 16 });
  const pen = canvas.getContext('2d');
  pen.fillStyle = '#fff';
  pen.fillRect(0, 0, 16, 16);
  pen.fillStyle = '#ddd';
  pen.fillRect(0, 0, 8, 8);
  pen.fillRect(8, 8, 8, 8);
  return canvas;
}
