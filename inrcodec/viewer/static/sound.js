// A sound, or an array of one axis: played, as a waveform, and with the bits that it took over time.
import { ask, colour, faultLine, filling, isAborted, make, perFrame } from './ask.js';

const CHUNK = 1 << 18; // frames that are asked for at a time, if they are LEAST_COLUMNS at least
const COLUMNS = 2000; // of a chunk at most
const LEAST_COLUMNS = 256; // of a chunk of a long sound, so that never many chunks are visible
const MOST = 200; // chunks that are kept, if not more are visible
const LEAST = 32; // frames that are shown at least

export function showSound(place, about) {
  const view = new SoundView(place, about);
  return () => view.leave();
}

class SoundView {
  constructor(place, about) {
    this.about = about;
    this.file = { name: about.name, version: about.version };
    [this.frames] = about.axes;
    [this.start, this.stop] = [0, this.frames];
    this.plane = -1;
    this.found = new Map(); // by key: a chunk of columns
    this.asked = new Map();
    this.failed = new Set();
    this.largest = about.floating || !about.rate ? 0 : 1;
    this.redraw = perFrame(() => this.#draw());
    this.#build(place);
    this.stops = [this.wave, this.cost].map((canvas) => filling(canvas, this.redraw));
    this.#reach();
  }

  leave() {
    this.gone = true;
    this.stops.forEach((stop) => stop());
    this.asked.forEach((end) => end.abort());
    if (this.player) { this.player.pause(); this.player.removeAttribute('src'); this.player.load(); }
  }

  #build(place) {
    const { about } = this;
    const button = (text, label, click) => make('button', { type: 'button', 'aria-label': label, title: label, click }, text);
    if (about.plays) {
      const address = `api/sound.wav?${new URLSearchParams(this.file)}`;
      this.player = make('audio', { controls: true, preload: 'metadata', src: address });
      const follow = () => { this.redraw(); if (!this.player.paused) requestAnimationFrame(follow); };
      for (const event of ['play', 'seeked', 'pause', 'timeupdate']) this.player.addEventListener(event, follow);
    }
    const canvas = (label) => make('canvas', { tabindex: '0', role: 'img', 'aria-label': label });
    this.wave = canvas('Waveform. Arrow keys move it, + and − change its scale, 0 shows all of it.');
    this.cost = canvas('Bits over time');
    this.busy = make('span', { class: 'busy', hidden: true }, 'decoding…');
    this.status = make('p', { class: 'status' }, ' ');
    this.span = make('span', { class: 'soft' });
    this.notes = make('div');
    const planes = [[-1, 'all together'], ...about.planes.map((name, n) => [n, name])];
    const select = make('select', {}, ...planes.map(([value, text]) => make('option', { value }, text)));
    select.addEventListener('change', () => { this.plane = Number(select.value); this.failed.clear(); this.redraw(); });
    this.scale = make('span', { class: 'soft' });
    place.replaceChildren(
      ...(this.player ? [this.player] : []),
      ...(about.changed ? [make('p', { class: 'note' }, about.changed)] : []),
      make('div', { class: 'tools' },
        make('span', { class: 'group', role: 'group', 'aria-label': 'scale' },
          button('−', 'more of it', () => this.#zoom(2)), button('+', 'less of it', () => this.#zoom(0.5)), button('Fit', 'all of it', () => this.#show(0, this.frames))),
        this.span),
      make('div', { class: 'stage wave' }, this.wave, this.busy),
      this.status,
      make('div', { class: 'tools' }, make('strong', {}, 'Bit cost'), make('label', {}, 'Part', select), this.scale),
      make('div', { class: 'stage wave low' }, this.cost),
      this.notes);
    if (about.lossy) this.notes.append(make('p', { class: 'note' }, 'The file holds a network alone; inrcodec render writes what it says of the sound.'));
  }

  // --- place and scale --------------------------------------------------------------------------------------------

  #show(start, stop) {
    const count = Math.min(this.frames, Math.max(Math.min(LEAST, this.frames), Math.round(stop - start)));
    this.start = Math.min(Math.max(0, Math.round(start)), this.frames - count);
    this.stop = this.start + count;
    this.redraw();
  }

  #zoom(times, share = 0.5) {
    const count = this.stop - this.start;
    const middle = this.start + share * count;
    this.#show(middle - share * count * times, middle + (1 - share) * count * times);
  }

  #reach() {
    const move = (share) => { const by = share * (this.stop - this.start); this.#show(this.start + by, this.stop + by); };
    const keys = { ArrowLeft: () => move(-0.25), ArrowRight: () => move(0.25), '+': () => this.#zoom(0.5), '=': () => this.#zoom(0.5), '-': () => this.#zoom(2), 0: () => this.#show(0, this.frames), ' ': () => this.#play() };
    for (const canvas of [this.wave, this.cost]) {
      const at = (event) => { const box = canvas.getBoundingClientRect(); return (event.clientX - box.left) / box.width; };
      let held = null;
      const down = new Map(); // where pointers are, as shares of the width
      canvas.addEventListener('keydown', (event) => {
        if (!keys[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
        event.preventDefault();
        keys[event.key]();
      });
      canvas.addEventListener('wheel', (event) => {
        event.preventDefault();
        if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) move(event.deltaX / 1000);
        else this.#zoom(2 ** ((event.deltaY * (event.deltaMode ? 16 : 1)) / 300), at(event));
      }, { passive: false });
      canvas.addEventListener('pointerdown', (event) => { canvas.setPointerCapture(event.pointerId); down.set(event.pointerId, at(event)); held = down.size > 1 ? null : { at: at(event), start: this.start, moved: false }; });
      canvas.addEventListener('pointermove', (event) => {
        this.#tell(Math.floor(this.start + at(event) * (this.stop - this.start)));
        const before = down.get(event.pointerId);
        const [other] = [...down].filter(([id]) => id !== event.pointerId).map(([, share]) => share);
        if (before !== undefined) down.set(event.pointerId, at(event));
        if (before !== undefined && other !== undefined) {
          const apart = (share) => Math.max(0.01, Math.abs(share - other));
          move((before - at(event)) / 2);
          this.#zoom(apart(before) / apart(at(event)), (at(event) + other) / 2);
        }
        if (!held) return;
        const by = (held.at - at(event)) * (this.stop - this.start);
        if (Math.abs(held.at - at(event)) > 0.01) held.moved = true;
        if (held.moved) this.#show(held.start + by, held.start + by + this.stop - this.start);
      });
      canvas.addEventListener('pointerup', (event) => {
        if (held && !held.moved && this.player) this.player.currentTime = (this.start + at(event) * (this.stop - this.start)) / this.about.rate;
        held = null;
        down.delete(event.pointerId);
      });
      canvas.addEventListener('pointercancel', (event) => { held = null; down.delete(event.pointerId); });
    }
  }

  #play() {
    if (!this.player) return;
    if (this.player.paused) this.player.play().catch(() => {});
    else this.player.pause();
  }

  /** Say the samples of a frame. */
  #tell(frame) {
    clearTimeout(this.soon);
    if (frame < 0 || frame >= this.frames || this.about.lossy) return;
    const where = this.about.rate ? `${(frame / this.about.rate).toFixed(4)} s, frame ${frame}` : `place ${frame}`;
    this.status.textContent = `${where}: …`;
    this.soon = setTimeout(async () => {
      try {
        const { values } = await ask('frame', { ...this.file, at: frame });
        const words = values.length === 1 ? values : values.map((value, n) => `${this.about.channels[n] || ''} ${value}`);
        if (!this.gone) this.status.textContent = `${where}: ${words.join('  ')}`;
      } catch (fault) { this.#fault(fault); }
    }, 80);
  }

  #fault(fault) {
    if (isAborted(fault) || this.gone || [...this.notes.querySelectorAll('.fault')].some((line) => line.textContent.startsWith(fault.message))) return;
    this.notes.prepend(faultLine(fault));
  }

  // --- drawing ----------------------------------------------------------------------------------------------------

  /** The chunks that are visible: [start, stop, columns] of each. Their size depends on the scale alone, so that they stay when it moves. */
  #chunks() {
    const fine = 2 ** Math.max(0, Math.floor(Math.log2((this.stop - this.start) / Math.max(1, this.wave.width))));
    const chunk = Math.max(Math.min(CHUNK, fine * COLUMNS), fine * LEAST_COLUMNS);
    const found = [];
    for (let start = Math.floor(this.start / chunk) * chunk; start < this.stop; start += chunk) {
      const stop = Math.min(this.frames, start + chunk);
      found.push([start, stop, Math.ceil((stop - start) / fine)]);
    }
    return found;
  }

  #draw() {
    if (this.gone || !this.wave.width) return;
    const chunks = this.#chunks();
    this.visible = new Set();
    const waves = this.#of('waveform', chunks, {});
    const costs = this.#of('costs', chunks, { plane: this.plane });
    this.busy.hidden = !this.asked.size;
    for (const { low, high } of waves) for (const value of [...low.flat(), ...high.flat()]) if (Math.abs(value) > this.largest) this.largest = Math.abs(value);
    this.#drawWave(waves);
    this.#drawCosts(costs);
    const told = this.about.rate ? (frame) => `${(frame / this.about.rate).toFixed(3)} s` : (frame) => `${frame}`;
    this.span.textContent = `${told(this.start)} to ${told(this.stop)} of ${told(this.frames)}`;
  }

  /** What is known of chunks; the others are asked for. */
  #of(what, chunks, more) {
    if (this.about.lossy) return [];
    const found = [];
    for (const [start, stop, columns] of chunks) {
      const asked = { start, stop, columns, ...more };
      const key = what + JSON.stringify(asked);
      this.visible.add(key);
      if (this.found.has(key)) found.push(this.found.get(key));
      else if (!this.failed.has(key) && !this.asked.has(key) && this.asked.size < 3) this.#ask(key, what, asked);
    }
    return found;
  }

  async #ask(key, what, asked) {
    const end = new AbortController();
    this.asked.set(key, end);
    try {
      const found = await ask(what, { ...this.file, ...asked }, end.signal);
      this.found.set(key, found);
      found.faults.forEach((text) => this.#fault(new Error(text)));
      for (const old of this.found.keys()) {
        if (this.found.size <= MOST) break;
        if (!this.visible.has(old)) this.found.delete(old);
      }
    } catch (fault) {
      this.failed.add(key);
      this.#fault(fault);
    }
    this.asked.delete(key);
    this.redraw();
  }

  #across(canvas) {
    return (frame) => ((frame - this.start) / (this.stop - this.start)) * canvas.width;
  }

  #drawWave(waves) {
    const canvas = this.wave;
    const pen = canvas.getContext('2d');
    const x = this.#across(canvas);
    pen.clearRect(0, 0, canvas.width, canvas.height);
    const lane = canvas.height / this.about.channels.length;
    const largest = this.largest || 1;
    this.about.channels.forEach((name, channel) => {
      const middle = (channel + 0.5) * lane;
      const y = (value) => middle - (value / largest) * (lane / 2 - 3);
      pen.fillStyle = colour('line');
      pen.fillRect(0, middle, canvas.width, 1);
      pen.fillStyle = colour('accent');
      for (const { edges, low, high } of waves) {
        for (let i = 0; i < low[channel].length; i++) {
          if (low[channel][i] === null || edges[i + 1] < this.start || edges[i] > this.stop) continue;
          const [left, right] = [x(edges[i]), x(edges[i + 1])];
          const [top, bottom] = [y(high[channel][i]), y(low[channel][i])];
          pen.fillRect(left, top - 0.5, Math.max(1, right - left), Math.max(1.5, bottom - top));
        }
      }
      pen.fillStyle = colour('soft');
      pen.font = `${12 * (devicePixelRatio || 1)}px system-ui, sans-serif`;
      pen.fillText(name, 6, channel * lane + 14 * (devicePixelRatio || 1));
    });
    this.#playhead(canvas);
  }

  #drawCosts(costs) {
    const canvas = this.cost;
    const pen = canvas.getContext('2d');
    const x = this.#across(canvas);
    pen.clearRect(0, 0, canvas.width, canvas.height);
    const largest = Math.max(1e-9, ...costs.flatMap(({ bits }) => bits.map((value) => value ?? 0)));
    pen.fillStyle = colour('accent');
    for (const { edges, bits } of costs) {
      for (let i = 0; i < bits.length; i++) {
        const height = (bits[i] / largest) * (canvas.height - 4);
        pen.fillRect(x(edges[i]), canvas.height - height, Math.max(1, x(edges[i + 1]) - x(edges[i])), height);
      }
    }
    this.scale.textContent = costs.length ? `up to ${largest.toFixed(2)} bits per ${this.about.rate ? 'frame' : 'place'}` : '';
    this.#playhead(canvas);
  }

  #playhead(canvas) {
    if (!this.player) return;
    const at = this.#across(canvas)(this.player.currentTime * this.about.rate);
    const pen = canvas.getContext('2d');
    pen.fillStyle = colour('bad');
    pen.fillRect(at, 0, Math.max(1, devicePixelRatio || 1), canvas.height);
  }
}
