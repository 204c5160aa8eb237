'use strict';
// The page: a form, and its answer in words, bars, a map and tables. The question is in the address, so it can be shared.

const at = (id) => document.getElementById(id);
const form = at('ask');
const number = new Intl.NumberFormat('en');
const share = new Intl.NumberFormat('en', { style: 'percent', maximumFractionDigits: 0 });
const signed = new Intl.NumberFormat('en', { style: 'percent', maximumFractionDigits: 0, signDisplay: 'exceptZero' });
const dayOf = new Intl.DateTimeFormat('en', { day: 'numeric', month: 'long', year: 'numeric', timeZone: 'UTC' });
const day = (date) => dayOf.format(new Date(`${date}T00:00:00Z`));
const state = { datasets: [], given: {}, unloaded: null, answer: null, asking: 0, map: null, layer: null, outlines: null, borders: null, csv: null };

// A problem in words, usually a sentence from the server.
class Problem extends Error {}

async function fetched(path) {
  let response;
  try {
    response = await fetch(path, { headers: { accept: 'application/json' } });
  } catch {
    throw new Problem('The server cannot be reached. Is this machine connected?');
  }
  const value = await response.json().catch(() => ({}));
  if (!response.ok) throw new Problem(sentence(value.error) ?? `The server answers ${response.status}.`);
  return value;
}

function sentence(text) {
  return text ? `${text[0].toUpperCase()}${text.slice(1)}.` : undefined;
}

function dataset() {
  return state.datasets.find((known) => known.dataset === form.dataset.value) ?? state.datasets[0];
}

// What the address says and a field cannot hold (2013-02-30, 0.1 km) is asked as it is, until somebody changes the field: the server
// answers it, or has a sentence for it.
function valueOf(name) {
  return state.given[name] ?? form[name].value;
}

function wanted() {
  return new URLSearchParams({
    postcode: form.postcode.value.trim().toUpperCase().replaceAll(' ', ''),
    from: valueOf('from'), to: valueOf('to'), radius: valueOf('radius'), dataset: form.dataset.value,
  });
}

function row(cells) {
  const line = document.createElement('tr');
  cells.forEach((cell, place) => {
    const box = document.createElement(place === 0 ? 'th' : 'td');
    if (place === 0) box.scope = 'row';
    box.textContent = cell;
    line.append(box);
  });
  return line;
}

// What is known but would reveal few is not shown.
const counted = (value) => (value !== null ? number.format(value) : dataset().min_count ? 'not shown' : 'not known');
const some = (count, one, several) => `${number.format(count)} ${count === 1 ? one : several}`;

function change(total, delta) {
  if (delta === null || delta === 0) return '';
  const part = (total - delta) / delta;
  if (Math.abs(part) < 0.005) return 'as many as';
  return `${share.format(Math.abs(part))} ${part < 0 ? 'fewer' : 'more'} than`;
}

function show(answer, from, to) {
  const { one, several, compared_with: before, min_count: least } = dataset();
  // Whole zones are counted, and the centre of none lies within the radius: nothing is known, which is not 0.
  const stats = answer.stats ?? [];
  // The totals do not come from the timeline: in protected answers, pieces of weeks and months belong to no day.
  const total = stats.reduce((sum, stat) => sum + stat.total, 0);
  const delta = stats.reduce((sum, stat) => (sum === null || stat.delta === null ? null : sum + stat.delta), 0);
  const compared = change(total, delta);
  const isWithheld = !total && (answer.suppressed.small || answer.suppressed.cut);
  const counts = isWithheld ? `No ${several} that may be shown` : some(total, one, several);
  const within = `within ${number.format(answer.radius_km)} km of ${answer.postcode}`;
  const when = from === to ? day(from) : `${day(from)} to ${day(to)}`;
  const isUnloaded = answer.not_loaded === answer.dates.length;
  at('words').textContent = isUnloaded ? `Nothing is loaded for ${when}.` : answer.stats === null ? noZone(answer, within) : `${counts} ${least ? 'in the zones whose centre lies ' : ''}${within}`
    + `${compared ? `, ${compared} ${before}` : ''}, ${from === to ? `on ${day(from)}` : `from ${day(from)} to ${day(to)}`}`
    + `${answer.as_of ? `, as of ${day(answer.as_of)}` : ''}.`;
  at('more').textContent = `${some(answer.places, 'postcode lies', 'postcodes lie')} within the radius${isUnloaded || answer.stats === null ? '' : `; ${some(answer.points_total, least ? 'zone has' : 'of them has', least ? 'zones have' : 'of them have')} ${several}${least ? ' that may be shown' : ''}`}.${missing(answer)}${late(answer)}${leftOut(answer.suppressed)}`;
  const branches = [...stats].sort((a, b) => a.sbi.localeCompare(b.sbi, 'en', { numeric: true }));
  at('stats').replaceChildren(...branches.map((stat) => row([stat.sbi, number.format(stat.total), counted(stat.delta),
    stat.percentage === null ? '' : signed.format(stat.percentage)])));
  at('area').textContent = least ? 'Zone' : 'Postcode';
  at('points').replaceChildren(...answer.points.map((point) => row([point.postcode, number.format(point.hits), counted(point.delta)])));
  at('cut').textContent = answer.truncated ? `The first ${number.format(answer.points.length)} of ${number.format(answer.points_total)}.` : '';
  // The days that are offered may be of another run.
  const last = dataset().run_id === answer.run_id ? dataset().days.at(-1) : undefined;
  at('run').textContent = `Run ${answer.run_id}${last ? `; loaded up to ${day(last)}` : ''}.`;
  bars(isUnloaded ? [] : answer.timeline, several);
  at('hint').hidden = true;
  at('told').hidden = false;
  draw(answer);
  offer(answer);
}

// What to choose instead, in steps of the field.
function noZone({ nearest_zone_km: nearest }, within) {
  const { step, max } = form.radius;
  const radius = Math.ceil(nearest / step) * step;
  return `No zone has its centre ${within}, and only whole zones are counted: `
    + (radius > max ? `none has it within ${number.format(max)} km either.` : `choose a larger radius; ${number.format(radius)} km is enough.`);
}

// Days that are not loaded count nothing, which is not the same as a day without anything.
function missing({ not_loaded: days, dates }) {
  if (!days || days === dates.length) return '';
  return ` ${days === 1 ? 'One of these days is' : `${number.format(days)} of these days are`} not loaded.`;
}

// Days that are not loaded yet are unknown, not empty.
function late({ as_of: last }) {
  const { comes_late: isLate, several } = dataset();
  return isLate && last ? ` More ${several} of the weeks before ${day(last)} may still be loaded.` : '';
}

// Says what was left out so that nobody can be identified.
function leftOut({ outside, zones, small, cut, undated }) {
  const beyond = outside ? ` ${some(outside, 'zone reaches into the radius, but has its centre outside it and is', 'zones reach into the radius, but have their centre outside it and are')} not counted.` : '';
  const whole = beyond + (undated ? ` ${some(undated, 'number is for a whole week or month: it is', 'numbers are for whole weeks or months: they are')} in the totals, but in no day.` : '');
  const parts = [
    small && some(small, 'number is too small', 'numbers are too small') + ' to be shown',
    cut && some(cut, 'number is for a week or month that reaches', 'numbers are for weeks or months that reach') + ' beyond these days',
  ].filter(Boolean);
  return parts.length ? ` Something is left out in ${some(zones, 'zone', 'zones')}: ${parts.join(', ')}.${whole}` : whole;
}

function bars(timeline, several) {
  if (!timeline.length) {
    const none = document.createElement('p');
    none.textContent = 'None of these days is loaded, so nothing is known of them.';
    at('timeline').replaceChildren(none);
    return;
  }
  const svg = (name, values) => {
    const node = document.createElementNS('http://www.w3.org/2000/svg', name);
    Object.entries(values).forEach(([key, value]) => node.setAttribute(key, value));
    return node;
  };
  const told = timeline.filter((moment) => moment.hits !== null);
  const most = Math.max(1, ...told.map((moment) => moment.hits));
  const largest = told.reduce((best, moment) => (best && best.hits >= moment.hits ? best : moment), null);
  const untold = timeline.length - told.length;
  const without = untold ? `; ${untold === 1 ? 'one day is' : `${number.format(untold)} days are`} not shown` : '';
  const picture = svg('svg', {
    viewBox: `0 0 ${timeline.length} 100`, preserveAspectRatio: 'none', role: 'img',
    'aria-label': `${timeline.length} days${largest ? `; the most on ${day(largest.date)}: ${number.format(largest.hits)} ${several}` : ''}${without}`,
  });
  timeline.forEach((moment, place) => {
    const isTold = moment.hits !== null;
    const height = isTold ? (moment.hits / most) * 100 : 100;
    const bar = svg('rect', { x: place + 0.1, y: 100 - height, width: 0.8, height, class: isTold ? 'told' : 'untold' });
    const title = svg('title', {});
    title.textContent = `${day(moment.date)}: ${isTold ? number.format(moment.hits) : 'not shown'}`;
    bar.append(title);
    picture.append(bar);
  });
  const ends = document.createElement('div');
  ends.className = 'ends';
  const middle = `${largest ? `most: ${number.format(largest.hits)}` : ''}${without}`.replace(/^; /, '');
  for (const text of [day(timeline[0].date), middle, day(timeline.at(-1).date)]) {
    const end = document.createElement('span');
    end.textContent = text;
    ends.append(end);
  }
  at('timeline').replaceChildren(picture, ends);
}

function draw(answer) {
  const centre = [answer.lat, answer.lon];
  if (!state.map) {
    state.map = L.map('map', { attributionControl: false, zoomAnimation: false, fadeAnimation: false, preferCanvas: true });
    state.map.setView(centre, 12);
    state.layer = L.featureGroup().addTo(state.map);
  }
  const colourOf = (name) => getComputedStyle(document.body).getPropertyValue(name).trim();
  const colour = colourOf('--bar');
  if (state.outlines && !state.borders) {
    state.borders = L.geoJSON(state.outlines, { interactive: false }).addTo(state.map).bringToBack();
  }
  state.borders?.setStyle({ color: colourOf('--quiet'), weight: 1, opacity: 0.6, fill: false });
  state.layer.clearLayers();
  const circle = L.circle(centre, { radius: answer.radius_km * 1000, color: colour, weight: 2, fill: false });
  state.layer.addLayer(circle);
  const most = Math.max(1, ...answer.points.map((point) => point.hits));
  for (const point of answer.points) {
    const size = 1.5 + 5 * Math.sqrt(point.hits / most);
    const dot = L.circleMarker([point.lat, point.lon], { radius: size, color: colour, weight: 1, fillOpacity: 0.5 });
    // A name may hold anything, and a text would be taken for HTML.
    const label = document.createElement('span');
    label.textContent = `${point.postcode}: ${number.format(point.hits)}`;
    dot.bindTooltip(label);
    state.layer.addLayer(dot);
  }
  state.map.invalidateSize();
  state.map.fitBounds(circle.getBounds(), { animate: false });
}

// A cell of the CSV. What a program of sheets would take for a formula begins with a quotation mark.
function cell(value) {
  if (typeof value === 'number') return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function offer(answer) {
  const lines = answer.points.map((point) => [point.postcode, point.lat, point.lon, point.hits, point.delta ?? ''].map(cell).join(','));
  const text = [`${dataset().min_count ? 'zone' : 'postcode'},lat,lon,hits,delta`, ...lines, ''].join('\r\n');
  if (state.csv) URL.revokeObjectURL(state.csv);
  state.csv = URL.createObjectURL(new Blob([text], { type: 'text/csv' }));
  at('csv').href = state.csv;
  at('csv').download = `${answer.dataset}-${answer.postcode}-${answer.radius_km}km.csv`;
}

async function ask() {
  at('wrong').textContent = '';
  const asked = wanted();
  const [postcode, from, to] = ['postcode', 'from', 'to'].map((name) => asked.get(name));
  const turn = ++state.asking;
  const lacks = state.unloaded ? `No data called “${state.unloaded}” is loaded here: choose other data, then Show.`
    : postcode && !(from && to) ? 'Choose a first and a last day.' : '';
  if (!postcode || lacks) {
    if (document.body.hasAttribute('aria-busy')) document.body.setAttribute('aria-busy', 'false');
    at('told').hidden = true;
    at('hint').hidden = Boolean(lacks);
    at('wrong').textContent = lacks;
    return;
  }
  history.replaceState(null, '', `?${asked}`);
  document.body.setAttribute('aria-busy', 'true');
  try {
    const path = [postcode, from === to ? from : `${from}..${to}`, asked.get('radius')].map(encodeURIComponent).join('/');
    const answer = await fetched(`/api/${path}?dataset=${encodeURIComponent(asked.get('dataset'))}`);
    // A run has committed since the page was loaded.
    if (answer.run_id !== dataset().run_id) await learn();
    if (turn !== state.asking) return;
    state.answer = answer;
    show(answer, from, to);
  } catch (problem) {
    if (turn !== state.asking) return;
    at('told').hidden = true;
    at('hint').hidden = true;
    at('wrong').textContent = problem instanceof Problem ? problem.message + whole(postcode) : 'The answer cannot be shown.';
    if (!(problem instanceof Problem)) throw problem;
  } finally {
    if (turn === state.asking) document.body.setAttribute('aria-busy', 'false');
  }
}

// Suggests how the beginning of a postcode may go on.
function whole(postcode) {
  const begun = postcode.replace(/\s/g, '').toUpperCase();
  const near = [...at('postcodes').options].map((option) => option.value).filter((known) => known !== begun && known.startsWith(begun));
  return near.length ? ` Type the whole one, such as ${near.slice(0, 3).join(', ')}.` : '';
}

async function learn() {
  state.datasets = (await fetched('/api/datasets')).filter((known) => known.run_id);
}

async function complete() {
  const text = form.postcode.value.trim();
  if (!text) return;
  const found = await fetched(`/api/places?q=${encodeURIComponent(text)}&dataset=${encodeURIComponent(form.dataset.value)}`).catch(() => []);
  at('postcodes').replaceChildren(...found.map((postcode) => Object.assign(document.createElement('option'), { value: postcode })));
}

function later(work, wait) {
  let timer;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(work, wait);
  };
}

// In protected answers, much is available for whole months only.
function lastWholeMonth(last) {
  const next = new Date(`${last}T00:00:00Z`);
  next.setUTCDate(next.getUTCDate() + 1);
  const end = new Date(Date.UTC(next.getUTCFullYear(), next.getUTCMonth(), 0));
  const begin = new Date(Date.UTC(end.getUTCFullYear(), end.getUTCMonth(), 1));
  return [begin, end].map((date) => date.toISOString().slice(0, 10));
}

function days() {
  const { days: loaded = [], min_count: least } = dataset() ?? {};
  if (!loaded.length) return;
  delete state.given.from;
  delete state.given.to;
  [form.from.value, form.to.value] = least ? lastWholeMonth(loaded.at(-1)) : [loaded[0], loaded.at(-1)];
}

// The map works without them.
async function borders() {
  const found = await fetched('/api/zones').catch(() => null);
  if (!found?.features.length) return;
  state.outlines = found;
  if (state.answer) draw(state.answer);
}

function km() {
  const radius = valueOf('radius');
  at('km').textContent = `${Number.isNaN(Number(radius)) ? radius : number.format(radius)} km`;
}

async function begin() {
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    state.unloaded = null;
    ask();
  });
  form.postcode.addEventListener('input', later(complete, 150));
  form.postcode.addEventListener('change', ask);
  for (const name of ['from', 'to', 'radius']) form[name].addEventListener('input', () => delete state.given[name]);
  form.radius.addEventListener('input', km);
  form.radius.addEventListener('input', later(ask, 250));
  form.from.addEventListener('change', ask);
  form.to.addEventListener('change', ask);
  form.dataset.addEventListener('change', () => {
    state.unloaded = null;
    days();
    ask();
  });
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => state.answer && draw(state.answer));
  try {
    await learn();
  } catch (problem) {
    at('wrong').textContent = problem.message;
    at('hint').hidden = true;
    return;
  }
  if (!state.datasets.length) {
    at('wrong').textContent = 'Nothing is loaded yet.';
    at('hint').hidden = true;
    return;
  }
  form.dataset.replaceChildren(...state.datasets.map((known) => Object.assign(document.createElement('option'),
    { value: known.dataset, textContent: known.about })));
  form.dataset.closest('p').hidden = state.datasets.length < 2;
  const given = new URLSearchParams(location.search);
  if (given.has('dataset')) form.dataset.value = given.get('dataset');
  if (!form.dataset.value) {
    state.unloaded = given.get('dataset');
    form.dataset.selectedIndex = 0;
    form.dataset.closest('p').hidden = false;
  }
  days();
  for (const name of ['postcode', 'from', 'to', 'radius']) {
    if (!given.get(name)) continue;
    form[name].value = given.get(name);
    if (name !== 'postcode' && form[name].value !== given.get(name)) state.given[name] = given.get(name);
  }
  km();
  ask();
  borders();
}

begin();
