// What the console does beyond plain pages. Without it, every page is read and every action done.
(() => {
  'use strict';

  // Times in the viewer's zone; UTC stays in the title.
  const day = new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeStyle: 'medium' });
  const show = (root) => {
    for (const time of root.querySelectorAll('time[datetime]:not([data-local])')) {
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.valueOf())) continue;
      time.textContent = day.format(at);
      time.dataset.local = '';
    }
    for (const line of root.querySelectorAll('pre.command:not([data-copy])')) {
      line.dataset.copy = '';
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = 'Copy';
      button.addEventListener('click', async () => {
        try {
          await navigator.clipboard.writeText(line.querySelector('code').textContent);
          button.textContent = 'Copied';
        } catch {
          button.textContent = 'Select it';
        }
        setTimeout(() => { button.textContent = 'Copy'; }, 2000);
      });
      line.append(button);
    }
    for (const slider of root.querySelectorAll('.slider:not([data-moves])')) {
      slider.dataset.moves = '';
      const input = slider.querySelector('input[type=range]');
      const output = slider.querySelector('output');
      input.addEventListener('input', () => { output.textContent = input.value; });
      if (input.dataset.submit !== undefined) {
        input.addEventListener('change', () => input.form.requestSubmit());
      }
    }
  };
  const start = () => {
    const zone = document.getElementById('zone');
    const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (zone && own !== "UTC") zone.textContent = ` · times in ${own}, UTC on hover`;
    show(document);
    hold();
    new MutationObserver((changes) => {
      if (changes.some((change) => change.addedNodes.length)) show(document);
    }).observe(document.body, { childList: true, subtree: true });
  };

  // A form that was sent is not sent twice by a second click.
  document.addEventListener('submit', (event) => {
    if (event.target.method !== 'post') return;
    if (event.target.dataset.sent !== undefined) event.preventDefault();
    event.target.dataset.sent = '';
  });
  // Coming back by the browser's own button, a form may be sent again.
  addEventListener('pageshow', () => {
    for (const form of document.querySelectorAll('form[data-sent]')) delete form.dataset.sent;
  });

  // A page that moves by itself is asked for again, while somebody sees it and has not held it. Who
  // wants little motion begins it by hand.
  const moving = () => document.querySelector('[data-moves]');
  const move = () => {
    if (moving() && !held && !document.hidden) moving().dispatchEvent(new Event('moves'));
  };
  let held = matchMedia('(prefers-reduced-motion: reduce)').matches;
  const hold = () => {
    const place = document.querySelector('[data-hold]');
    if (!place || !moving()) return;
    const button = document.createElement('button');
    const say = () => { button.textContent = held ? 'Go on by itself' : 'Hold'; };
    button.type = 'button';
    button.addEventListener('click', () => { held = !held; say(); move(); });
    say();
    place.append(button);
    setInterval(move, 1000 * moving().dataset.moves);
    document.addEventListener('visibilitychange', move);
    // What cannot be asked for stays as it was, and says so.
    const told = document.createElement('span');
    told.className = 'bad';
    told.setAttribute('role', 'status');
    place.append(told);
    document.addEventListener('htmx:error', () => { told.textContent = ' The console does not answer: this is how it was.'; });
    document.addEventListener('htmx:after:swap', () => { told.textContent = ''; });
  };

  // "/" goes to the search.
  document.addEventListener('keydown', (event) => {
    if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest('input, textarea, select')) return;
    event.preventDefault();
    document.getElementById('q').focus();
  });

  start();
})();
