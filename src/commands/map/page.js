'use strict';
(() => {
  const tip = document.getElementById('tip');
  const shapes = new Map();
  for (const shape of document.querySelectorAll('.map .a')) {
    const title = shape.querySelector('title');
    // Ours follows the pointer; the browser's own would come on top of it.
    shapes.set(shape.dataset.a, { shape, text: title.textContent });
    title.remove();
  }
  const show = (event) => {
    const known = event.target.closest && shapes.get(event.target.closest('.a')?.dataset.a);
    tip.hidden = !known;
    if (!known) return;
    tip.textContent = known.text;
    const { width, height } = tip.getBoundingClientRect();
    const x = Math.max(4, Math.min(event.clientX + 14, document.documentElement.clientWidth - width - 4));
    const y = event.clientY - height - 12;
    tip.style.transform = `translate(${x}px, ${y < 4 ? event.clientY + 18 : y}px)`;
  };
  for (const map of document.querySelectorAll('.map')) {
    map.addEventListener('pointermove', show);
    map.addEventListener('pointerdown', show);
    map.addEventListener('pointerleave', () => { tip.hidden = true; });
  }
  document.addEventListener('keydown', (event) => { if (event.key === 'Escape') tip.hidden = true; });

  const rows = [...document.querySelectorAll('tbody tr')];
  const mark = (row, on) => shapes.get(row.dataset.a)?.shape.classList.toggle('on', on);
  for (const row of rows) {
    row.addEventListener('pointerenter', () => mark(row, true));
    row.addEventListener('pointerleave', () => mark(row, false));
  }
  const find = document.getElementById('find');
  find.parentElement.hidden = false;
  find.addEventListener('input', () => {
    const wanted = find.value.trim().toLowerCase();
    let found = 0;
    for (const row of rows) {
      const fits = !wanted || row.textContent.toLowerCase().includes(wanted);
      row.hidden = !fits;
      mark(row, Boolean(wanted) && fits);
      found += fits;
    }
    document.getElementById('found').textContent = wanted ? `${found} of ${rows.length} rows` : '';
  });
})();
