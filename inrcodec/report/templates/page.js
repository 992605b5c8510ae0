"use strict";
(() => {
  const root = document.documentElement;
  const KEY = "inrcodec-theme";
  const THIN = "\u202f";
  root.dataset.js = "";

  // a browser may refuse to remember: then the choice lasts as long as the page
  const remembered = () => { try { return localStorage.getItem(KEY); } catch { return null; } };
  const remember = (theme) => { try { theme ? localStorage.setItem(KEY, theme) : localStorage.removeItem(KEY); } catch { /* nothing to do */ } };
  const apply = (theme) => { if (theme) root.dataset.theme = theme; else delete root.dataset.theme; };
  const known = (theme) => (theme === "light" || theme === "dark" ? theme : "");
  apply(known(remembered()));

  const id = (name) => document.getElementById(name);
  const number = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, THIN);
  const made = (tag, className, text) => {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    return element;
  };
  const option = (select, value, text) => {
    const element = made("option", "", text);
    element.value = value;
    select.append(element);
  };

  function themes() {
    const button = id("theme");
    const names = { "": "Auto", light: "Light", dark: "Dark" };
    const said = { "": "as the system has them", light: "light", dark: "dark" };
    const show = () => {
      const theme = known(root.dataset.theme);
      button.textContent = names[theme];
      button.setAttribute("aria-label", `Colours: ${said[theme]}`);
    };
    button.addEventListener("click", () => {
      const order = ["", "light", "dark"];
      const theme = order[(order.indexOf(known(root.dataset.theme)) + 1) % order.length];
      apply(theme);
      remember(theme);
      show();
    });
    show();
  }

  // The table of all files is where the bars get their numbers from.
  function readTable(table) {
    const heads = [...table.tHead.rows[0].cells].map((cell) => cell.textContent);
    const columns = heads.slice(4).map((name, i) => ({ name, index: i + 4 }));
    const files = [...table.tBodies[0].rows].map((row) => ({
      row,
      name: row.cells[0].textContent,
      folded: row.cells[0].textContent.toLowerCase(),
      group: row.cells[1].textContent,
      shape: row.cells[2].textContent,
      gain: "gain" in row.dataset ? Number(row.dataset.gain) : null,
      sizes: columns.map(({ index }) => ("n" in row.cells[index].dataset ? Number(row.cells[index].dataset.n) : null)),
    }));
    return { columns: columns.map((column) => column.name), files };
  }

  function bars() {
    const { columns, files } = readTable(id("all"));
    id("plain").open = false;
    const isOurs = (name) => name === "inrcodec" || name.startsWith("inrcodec ");
    const SOURCES = 2; // columns that are no codecs: raw samples, the file as it came
    const LONGEST = 4; // of 100 %: a longer bar is cut, or it would squeeze all others
    const shown = columns.map((_, i) => i >= SOURCES);
    const state = { page: 0 };
    const reference = id("reference");
    columns.forEach((name, i) => option(reference, i, name));
    reference.value = Math.max(columns.indexOf(reference.dataset.first), 0);
    columns.forEach((name, i) => {
      const label = made("label");
      const box = made("input");
      box.type = "checkbox";
      box.checked = shown[i];
      box.addEventListener("change", () => { shown[i] = box.checked; draw(); });
      label.append(box, made("bdi", "", name));
      id("codecs").append(label);
    });

    const byName = (a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
    const last = (value, sign) => (value === null ? Infinity : sign * value); // files without a gain come last
    const orders = {
      name: byName,
      most: (a, b) => last(a.gain, -1) - last(b.gain, -1) || byName(a, b),
      least: (a, b) => last(a.gain, 1) - last(b.gain, 1) || byName(a, b),
      largest: (a, b) => b.sizes[0] - a.sizes[0] || byName(a, b),
    };

    function entry(file, base, most) {
      const item = made("li");
      const head = made("div");
      const name = made("p", "name");
      name.append(made("bdi", "", file.name));
      name.title = file.name;
      head.append(name, made("p", "about", file.shape));
      const list = made("ul");
      columns.forEach((codec, i) => {
        const size = file.sizes[i];
        if (!shown[i] || size === null) return;
        const line = made("li", `${isOurs(codec) ? "ours" : ""}${i === base ? " reference" : ""}`.trim());
        const label = made("span", "codec", codec);
        label.title = codec;
        const track = made("div", "track");
        const figure = made("span", "figure");
        const whole = file.sizes[base];
        if (whole) {
          const ratio = size / whole;
          const fill = made("div", ratio > LONGEST ? "fill cut" : "fill");
          fill.style.width = `${(100 * Math.min(ratio, LONGEST)) / most}%`;
          const mark = made("div", "whole");
          mark.style.left = `${100 / most}%`;
          track.append(fill, mark);
          figure.append(made("b", "", `${(100 * ratio).toFixed(1)}${THIN}%`));
        }
        figure.append(made("span", "bytes", `${number(size)}${THIN}B`));
        line.append(label, track, figure);
        list.append(line);
      });
      item.append(head, list);
      if (file.sizes[base] === null) head.append(made("p", "about", `${columns[base]} gave nothing here, so there is no 100${THIN}%.`));
      return item;
    }

    function draw() {
      const text = id("filter").value.toLowerCase();
      const group = id("group").value;
      const many = Number(id("many").value);
      const base = Number(reference.value);
      const wanted = (file) => (!group || file.group === group) && file.folded.includes(text);
      for (const file of files) file.row.hidden = !wanted(file);
      const found = files.filter(wanted).sort(orders[id("order").value]);
      const pages = Math.max(1, Math.ceil(found.length / many));
      state.page = Math.min(Math.max(state.page, 0), pages - 1);
      const part = found.slice(state.page * many, (state.page + 1) * many);
      // all bars of a page have one scale
      const ratios = part.flatMap((file) => file.sizes.filter((size, i) => shown[i] && size !== null && file.sizes[base]).map((size) => size / file.sizes[base]));
      const longest = ratios.reduce((a, b) => Math.max(a, b), 1);
      const most = Math.min(longest, LONGEST);
      id("bars").replaceChildren(...part.map((file) => entry(file, base, most)));
      const first = found.length ? state.page * many + 1 : 0;
      id("bars-said").textContent = found.length
        ? `Bytes of each codec, in per cent of ${columns[base]} (dashed line). ${number(found.length)} of ${number(files.length)} files.${longest > LONGEST ? ` Bars end at ${100 * LONGEST}${THIN}%, and fade if they are cut.` : ""}`
        : "No file has this name.";
      id("where").textContent = `${number(first)} – ${number(state.page * many + part.length)} of ${number(found.length)}`;
      id("before").disabled = state.page === 0;
      id("after").disabled = state.page >= pages - 1;
      id("pager").hidden = pages === 1;
    }

    const again = () => { state.page = 0; draw(); };
    for (const name of ["group", "reference", "order", "many"]) id(name).addEventListener("change", again);
    id("filter").addEventListener("input", again);
    id("bars-controls").addEventListener("submit", (event) => event.preventDefault());
    const turn = (by) => { state.page += by; draw(); id("files").scrollIntoView(); };
    id("before").addEventListener("click", () => turn(-1));
    id("after").addEventListener("click", () => turn(1));
    draw();
  }

  function picture() {
    const form = id("look");
    const figures = [...document.querySelectorAll("#figures figure")];
    const of = (view) => figures.filter((figure) => figure.dataset.view === view);
    const unique = (values) => [...new Set(values)];
    of("map").forEach((figure, i) => option(id("map"), i, figure.dataset.name));
    unique(of("plane").map((figure) => figure.dataset.group)).forEach((name) => option(id("channel"), name, name));
    unique(of("plane").map((figure) => figure.dataset.name)).forEach((name) => option(id("bit"), name, name.replace("bit ", "")));
    form.querySelector("input[name=view]").checked = true;

    const frames = figures.map((figure) => figure.querySelector(".frame"));
    let zoomed = 1;
    for (const frame of frames) { // it keeps its size when the picture in it is enlarged
      const image = frame.firstElementChild;
      frame.style.aspectRatio = `${image.getAttribute("width")} / ${image.getAttribute("height")}`;
    }
    function sharpen() {
      for (const frame of frames) {
        const image = frame.firstElementChild;
        image.classList.toggle("crisp", image.clientWidth > Number(image.getAttribute("width")));
      }
    }
    function show() {
      const view = form.querySelector("input[name=view]:checked").value;
      const map = of("map")[Number(id("map").value)];
      const plane = of("plane").find((figure) => figure.dataset.group === id("channel").value && figure.dataset.name === id("bit").value);
      for (const figure of figures) figure.hidden = figure.dataset.view !== "picture" && figure !== (view === "map" ? map : plane);
      for (const label of form.querySelectorAll("[data-for]")) label.hidden = label.dataset.for !== view;
      const zoom = Number(id("zoom").value);
      const by = zoom / zoomed;
      zoomed = zoom;
      for (const frame of frames) frame.firstElementChild.style.width = `${100 * zoom}%`;
      // what is in the middle stays there
      const frame = frames[0];
      const to = (from, size) => (from + size / 2) * by - size / 2;
      frame.scrollTo({ left: to(frame.scrollLeft, frame.clientWidth), top: to(frame.scrollTop, frame.clientHeight), behavior: "instant" });
      follow(frame);
      sharpen();
    }
    // both pictures show the same part
    function follow(from) {
      for (const frame of frames) {
        if (frame === from || frame.parentElement.hidden) continue;
        const at = (a, b) => (b > 0 ? a / b : 0);
        const left = at(from.scrollLeft, from.scrollWidth - from.clientWidth) * (frame.scrollWidth - frame.clientWidth);
        const top = at(from.scrollTop, from.scrollHeight - from.clientHeight) * (frame.scrollHeight - frame.clientHeight);
        if (Math.abs(frame.scrollLeft - left) > 1 || Math.abs(frame.scrollTop - top) > 1) frame.scrollTo({ left, top, behavior: "instant" });
      }
    }
    let moved = null; // the frame that the reader scrolls; the other one follows and must not lead back
    for (const frame of frames) {
      for (const type of ["pointerenter", "focus", "touchstart"]) frame.addEventListener(type, () => { moved = frame; }, { passive: true });
      frame.addEventListener("scroll", () => { if (frame === moved) follow(frame); }, { passive: true });
    }
    form.addEventListener("change", show);
    form.addEventListener("submit", (event) => event.preventDefault());
    new ResizeObserver(sharpen).observe(id("figures"));
    show();
  }

  // paper has no summaries to open
  function printing() {
    let closed = [];
    window.addEventListener("beforeprint", () => {
      closed = [...document.querySelectorAll("details:not([open])")];
      for (const details of closed) details.open = true;
    });
    window.addEventListener("afterprint", () => { for (const details of closed) details.open = false; });
  }

  document.addEventListener("DOMContentLoaded", () => {
    themes();
    printing();
    if (id("all")) bars();
    if (id("look")) picture();
  });
})();
