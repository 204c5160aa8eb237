// Finds names in the index that is in the page. Enter opens the first, the arrows go through the others.
(() => {
  const index = JSON.parse(document.getElementById('index').textContent);
  const field = document.getElementById('q');
  const list = document.getElementById('found');
  const said = document.getElementById('said');
  const plain = (text) => text.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase();
  const known = index.map(([name, kind, path]) => ({ name, kind, path, text: plain(`${name} ${path}`), begin: plain(name) }));
  const most = 50;

  function find() {
    const asked = plain(field.value.trim());
    const words = asked.split(/\s+/).filter(Boolean);
    const found = words.length ? known.filter((one) => words.every((word) => one.text.includes(word))) : [];
    found.sort((a, b) => b.begin.startsWith(asked) - a.begin.startsWith(asked));
    list.replaceChildren(...found.slice(0, most).map((one) => {
      const item = document.createElement('li'), link = document.createElement('a'), kind = document.createElement('span');
      link.href = one.path;
      link.textContent = one.name;
      kind.className = 'quiet';
      kind.textContent = one.kind;
      item.append(link, ' ', kind);
      return item;
    }));
    said.textContent = !words.length ? '' : found.length > most ? `${found.length} found, the first ${most} of them here`
      : `${found.length} found`;
  }

  document.addEventListener('keydown', (event) => {
    const links = [...list.querySelectorAll('a')];
    const at = links.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1 }[event.key];
    if (event.key === 'Enter' && document.activeElement === field && links.length) links[0].click();
    else if (event.key === 'Escape' && at >= 0) field.focus();
    else if (to !== undefined && (at >= 0 || document.activeElement === field)) {
      event.preventDefault();
      (to < 0 ? field : links[Math.min(to, links.length - 1)] ?? field).focus();
    }
  });
  field.addEventListener('input', find);
  field.value = new URLSearchParams(location.search).get('q') ?? '';
  field.focus();
  find();
})();
