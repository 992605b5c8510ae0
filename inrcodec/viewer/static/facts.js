// Facts about a file, its digest, and what a bundle holds.
import { ask, faultLine, make } from './ask.js';

const table = (kind, rows) => make('table', { class: kind }, make('tbody', {}, ...rows));

export function showFacts(place, about) {
  const rows = about.rows.map(([name, text]) => make('tr', {}, make('th', { scope: 'row' }, name), make('td', {}, text)));
  const answer = make('p', { class: 'note', role: 'status' }, 'The samples were not compared with their digest yet.');
  const check = make('button', { type: 'button' }, 'Compare now');
  check.addEventListener('click', async () => {
    check.disabled = true;
    answer.textContent = 'Decoding all of it…';
    try {
      const found = await ask('verify', { name: about.name, version: about.version });
      answer.textContent = `OK: ${found.right}.`;
      check.remove();
    } catch (fault) {
      answer.replaceChildren(faultLine(fault));
      check.disabled = false;
    }
  });
  place.replaceChildren(make('h2', {}, 'Digest'), answer, ...(about.lossy ? [] : [check]), make('h2', {}, 'Facts'), table('facts', rows));
  if (about.lossy) answer.textContent = 'The file holds a network alone, so there are no samples to compare.';
}

export function showTable(place, about) {
  const { heads, rows } = about.table;
  const head = make('thead', {}, make('tr', {}, ...heads.map((text) => make('th', { scope: 'col' }, text))));
  const body = make('tbody', {}, ...rows.map((row) => make('tr', {}, ...row.map((text) => make('td', {}, String(text))))));
  place.replaceChildren(make('div', { class: 'scroll', tabindex: '0' }, make('table', {}, head, body)));
}
