// Which page is shown: the folder, or the file whose name stands behind #.
import { FileFault, ask, bytes, faultLine, make, ratio } from './ask.js';
import { showFacts, showTable } from './facts.js';
import { Folder } from './folder.js';
import { showPicture } from './picture.js';
import { showSound } from './sound.js';

const at = (id) => document.getElementById(id);
let folder = null;
let listed = null;
let leave = () => {}; // ends what the page of a file has begun
let place = 0; // how far the folder was scrolled
let visit = 0;

async function show() {
  const number = ++visit;
  leave();
  leave = () => {};
  try {
    listed ??= await ask('list');
  } catch (fault) {
    at('title').after(faultLine(fault));
    return;
  }
  if (number !== visit) return;
  const name = listed.single ? listed.files[0].name : named(location.hash.slice(1));
  at('folder').hidden = name !== '';
  at('file').hidden = name === '';
  at('back').hidden = listed.single || name === '';
  at('title').textContent = name || listed.title;
  at('summary').textContent = name ? '' : `${listed.files.length} ${listed.files.length === 1 ? 'file' : 'files'}`;
  document.title = `${name || listed.title} – inrcodec view`;
  if (number > 1) at('title').focus(); // what was chosen is gone
  if (name) {
    await showFile(name, number);
    return;
  }
  at('file').replaceChildren();
  folder ??= new Folder(at('sheet'), at('filter'), at('count'), listed.files);
  scrollTo(0, place);
}

/** The name that an address has; as it is, if it is not written as an address. */
function named(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

async function showFile(name, number) {
  const file = at('file');
  file.replaceChildren(make('p', { class: 'soft' }, 'Opening…'));
  scrollTo(0, 0);
  let about;
  try {
    about = await ask('about', { name });
  } catch (fault) {
    if (number === visit) file.replaceChildren(faultLine(fault));
    return;
  }
  if (number !== visit) return;
  at('summary').textContent = `${bytes(about.info.file_bytes)} · ${ratio(about.info.file_bytes, about.info.raw_bytes)} of ${bytes(about.info.raw_bytes)}`;
  const shown = make('section', { 'aria-label': 'what the file holds' });
  const facts = make('section', { 'aria-label': 'facts' });
  file.replaceChildren(...(about.wrong ? [faultLine(new FileFault(about.wrong))] : []), make('div', { class: 'split' }, shown, facts));
  showFacts(facts, about);
  const show = { picture: showPicture, sound: showSound, table: showTable }[about.shows];
  leave = show(shown, about) || (() => {});
}

addEventListener('hashchange', show);
addEventListener('scroll', () => { if (!at('folder').hidden) place = scrollY; }, { passive: true });
show();
