// Live orders: the list as it stands, then every change as it comes. The stream is read with fetch, because EventSource cannot send
// a token.
'use strict';

const shown = 40;
const views = new Map();
const couriers = new Map();
const ended = new Set(['DELIVERED', 'CANCELLED', 'REJECTED', 'UNDELIVERABLE']);
const element = id => document.getElementById(id);
let token = '';
let lastID = '';
let drawn = 0;

async function call(path, options = {}) {
  const response = await fetch(path, {...options, headers: {...options.headers, Authorization: 'Bearer ' + token}});
  if (!response.ok) {
    const problem = await response.json().catch(() => ({}));
    throw new Error(problem.detail || problem.title || response.statusText);
  }
  return response;
}

async function authenticate() {
  const response = await fetch('/v1/tokens', {
    method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify({roles: ['support']}),
  });
  if (!response.ok) throw new Error('this page needs the local issuer of tokens, which is off here');
  token = (await response.json()).token;
}

async function load() {
  const page = await (await call('/v1/tracking?limit=100')).json();
  for (const view of page.items) accept(view);
}

function accept(view) {
  const known = views.get(view.order_id);
  if (!known || known.sequence <= view.sequence) views.set(view.order_id, view);
}

async function follow() {
  const headers = lastID ? {'Last-Event-ID': lastID} : {};
  const response = await call('/v1/tracking/events', {headers});
  element('state').textContent = 'Live';
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (;;) {
    const {value, done} = await reader.read();
    if (done) return;
    text += value;
    const blocks = text.split('\n\n');
    text = blocks.pop();
    blocks.forEach(handle);
  }
}

function handle(block) {
  let name = 'message', data = '', id = '';
  for (const line of block.split('\n')) {
    if (line.startsWith('event:')) name = line.slice(6).trim();
    else if (line.startsWith('data:')) data += line.slice(5).trim();
    else if (line.startsWith('id:')) id = line.slice(3).trim();
  }
  if (id) lastID = id;
  if (name === 'view') accept(JSON.parse(data));
  if (name === 'position') {
    const moved = JSON.parse(data);
    couriers.set(moved.courier_id, moved);
  }
  schedule();
}

function schedule() {
  if (drawn) return;
  drawn = setTimeout(() => requestAnimationFrame(() => { drawn = 0; draw(); }), 120);
}

function draw() {
  const all = [...views.values()].sort((a, b) => (b.order?.placed_at || '').localeCompare(a.order?.placed_at || ''));
  if (views.size > 2000) for (const old of all.splice(1000)) views.delete(old.order_id);
  const counts = {};
  for (const v of all) counts[v.status] = (counts[v.status] || 0) + 1;
  element('counts').replaceChildren(...Object.entries(counts).map(([status, n]) => {
    const item = document.createElement('li');
    item.append(status.toLowerCase().replaceAll('_', ' ') + ' ');
    const number = document.createElement('b');
    number.textContent = n;
    item.append(number);
    return item;
  }));
  element('empty').hidden = all.length > 0;
  const open = all.filter(v => !ended.has(v.status));
  const rest = all.filter(v => ended.has(v.status));
  element('orders').replaceChildren(...[...open, ...rest].slice(0, shown).map(row));
  map(open);
}

const clock = text => text ? text.slice(11, 16) : '';
const money = m => m ? (m.amount / 100).toFixed(2) + ' ' + m.currency : '';

function row(view) {
  const tr = document.createElement('tr');
  const status = document.createElement('span');
  status.className = 'status ' + view.status;
  status.textContent = view.status.toLowerCase().replaceAll('_', ' ') + (view.reason ? ': ' + view.reason.replaceAll('_', ' ') : '');
  const until = ended.has(view.status) ? clock(view.delivery?.delivered_at) : clock(view.delivery?.eta_latest);
  for (const value of [clock(view.order?.placed_at), '…' + view.order_id.slice(-6), status, view.delivery?.courier_id ? '…' + view.delivery.courier_id.slice(-6) : '', until, money(view.order?.total)]) {
    const td = document.createElement('td');
    td.append(value);
    tr.append(td);
  }
  tr.title = view.order_id;
  tr.lastChild.className = 'number';
  return tr;
}

function map(open) {
  const canvas = element('map');
  const ratio = window.devicePixelRatio || 1;
  const size = canvas.clientWidth;
  canvas.width = canvas.height = size * ratio;
  const pen = canvas.getContext('2d');
  pen.scale(ratio, ratio);
  const places = [];
  for (const v of views.values()) for (const p of [v.order?.address, v.order?.restaurant_position]) if (p) places.push(p);
  for (const c of couriers.values()) places.push(c.position);
  if (!places.length) return;
  const range = key => { const all = places.map(p => p[key]); return [Math.min(...all), Math.max(...all)]; };
  const [south, north] = range('latitude'), [west, east] = range('longitude');
  const shrink = Math.cos((north + south) / 2 * Math.PI / 180);
  const extent = Math.max(north - south, (east - west) * shrink, 1e-4) * 1.1;
  const at = p => [size / 2 + (p.longitude - (east + west) / 2) * shrink / extent * size, size / 2 - (p.latitude - (north + south) / 2) / extent * size];
  const style = getComputedStyle(document.documentElement);
  const color = name => style.getPropertyValue('--' + name);
  pen.lineWidth = 1;
  for (const v of open) {
    if (!v.order?.address || !v.order?.restaurant_position) continue;
    const [x1, y1] = at(v.order.restaurant_position), [x2, y2] = at(v.order.address);
    pen.strokeStyle = color('line');
    pen.beginPath(); pen.moveTo(x1, y1); pen.lineTo(x2, y2); pen.stroke();
    pen.fillStyle = color('restaurant'); pen.fillRect(x1 - 3.5, y1 - 3.5, 7, 7);
    pen.fillStyle = color('door'); pen.beginPath(); pen.arc(x2, y2, 3.5, 0, 7); pen.fill();
  }
  for (const c of couriers.values()) {
    const [x, y] = at(c.position);
    pen.fillStyle = color('courier'); pen.beginPath(); pen.arc(x, y, 5, 0, 7); pen.fill();
    pen.strokeStyle = color('panel'); pen.stroke();
  }
}

async function main() {
  for (let wait = 500; ; wait = Math.min(wait * 2, 10000)) {
    try {
      await authenticate();
      await load();
      draw();
      await follow();
      wait = 500;
      element('state').textContent = 'The stream ended; connecting again…';
    } catch (error) {
      element('state').textContent = 'Not connected: ' + error.message;
    }
    await new Promise(resolve => setTimeout(resolve, wait));
  }
}

main();
