// What the pages do with scripts. Every page also works without this file.
// Parts with `data-poll` update themselves; times count on; keys move between pages and rows.
(() => {
  "use strict";
  const html = document.documentElement;
  html.dataset.script = "";
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const first = (selector) => document.querySelector(selector);
  const clock = () => performance.now();
  const on = (name, react) => document.addEventListener(name, react);
  const kept = {
    get(name, other) { try { return localStorage.getItem(name) ?? other } catch { return other } },
    set(name, value) { try { localStorage.setItem(name, value) } catch { /* a browser may forbid it */ } },
  };
  let words = {};
  const say = (name, values = {}) => (words[name] ?? "").replace(/\{(\w)\}/g, (_, key) => values[key]);

  // Before the first paint, so that the page does not flash.
  const setTheme = (theme) => { if (theme === "auto") delete html.dataset.theme; else html.dataset.theme = theme };
  setTheme(kept.get("theme", "auto"));

  // The server's time, advanced by the monotonic clock: a wrong clock of the browser changes no age.
  let serverTime = Date.parse(html.dataset.now), readAt = clock();
  const setServerTime = (iso) => { const time = Date.parse(iso); if (time) { serverTime = time; readAt = clock() } };
  const now = () => serverTime + clock() - readAt;

  // ---- Times
  const span = (seconds) => {
    const whole = Math.max(0, Math.round(seconds));
    for (const [unit, length] of [["d", 86400], ["h", 3600], ["min", 60]]) {
      if (whole >= 2 * length) return `${Math.floor(whole / length)} ${unit}`;
    }
    return `${whole} s`;
  };
  const two = (number) => String(number).padStart(2, "0");
  // A print is a record: it has the times in UTC.
  const print = matchMedia("print");
  const isLocal = () => !print.matches && kept.get("zone", "local") === "local";
  const fields = (time) => {
    const date = new Date(time);
    return isLocal()
      ? [date.getFullYear(), date.getMonth() + 1, date.getDate(), date.getHours(), date.getMinutes(), date.getSeconds()]
      : [date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate(), date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()];
  };
  const zoneName = () => (isLocal() ? Intl.DateTimeFormat().resolvedOptions().timeZone : say("utc"));
  const dayOf = (time) => { const [year, month, day] = fields(time); return `${year}-${two(month)}-${two(day)}` };
  const clockOf = (time) => fields(time).slice(3).map(two).join(":");
  const fullOf = (time) => `${dayOf(time)} ${clockOf(time)} ${zoneName()}`;
  const write = (element, text) => { if (element.textContent !== text) element.textContent = text };

  const showTimes = (root = document) => {
    let heading = "";
    for (const element of all("time[datetime]", root)) {
      const time = Date.parse(element.dateTime);
      if (Number.isNaN(time)) continue;
      element.title = `${new Date(time).toISOString().slice(0, 19).replace("T", " ")} ${say("utc")}`;
      if (element.dataset.when === "full") write(element, fullOf(time));
      else if (element.dataset.when === "day") {
        // Days begin at another time in another zone: a heading that repeats is hidden.
        const li = element.closest("li");
        if (li) li.hidden = dayOf(time) === heading;
        heading = dayOf(time);
        write(element, heading);
      } else if ("when" in element.dataset) {
        const known = element.dataset.when === "time" ? heading || dayOf(time) : dayOf(now());
        write(element, (dayOf(time) === known ? "" : `${dayOf(time)} `) + clockOf(time));
      }
    }
    for (const element of all("[data-zone-name]")) write(element, zoneName());
    tick(root);
  };
  const tick = (root = document) => {
    const time = now();
    for (const element of all("time[data-age], time[data-read]", root)) write(element, span((time - Date.parse(element.dateTime)) / 1000));
    for (const element of all("time[data-left]", root)) {
      const seconds = (Date.parse(element.dateTime) - time) / 1000;
      write(element, seconds > 0 ? span(seconds) : say("over"));
    }
  };

  // ---- Parts that update: <section id data-poll="/address" data-every="5">
  const parts = new WeakMap();
  const stateOf = (part) => {
    if (!parts.has(part)) parts.set(part, { etag: part.dataset.etag ?? "", busy: false, due: 0, at: clock(), waiting: null, heldText: "" });
    return parts.get(part);
  };
  const isTouched = (part) => part.matches(":hover") || part.contains(document.activeElement) || isSelected(part);
  const isSelected = (part) => {
    const found = document.getSelection();
    return Boolean(found && !found.isCollapsed && part.contains(found.anchorNode));
  };
  const keysOf = (part) => new Map(all("[data-key]", part).map((row) => [row.dataset.key, row]));
  const tell = (part, text) => { const place = part.querySelector("[data-held-text]"); if (place) write(place, text) };

  const poll = async (part) => {
    const state = stateOf(part);
    if (state.busy || part.dataset.state === "ended") return;
    state.busy = true;
    const slow = setTimeout(() => part.setAttribute("aria-busy", "true"), 300);
    try {
      const headers = { "HX-Request": "true" };
      if (state.etag) headers["If-None-Match"] = state.etag;
      const answer = await fetch(part.dataset.poll, { headers, redirect: "manual", cache: "no-store", signal: AbortSignal.timeout(15000) });
      if (answer.type === "opaqueredirect" || answer.status === 401) {
        part.dataset.state = "ended";
        tell(part, say("signedOut"));
      } else if (answer.status === 304) {
        arrived(part, answer);
      } else if (answer.ok) {
        const text = await answer.text();
        state.etag = answer.headers.get("etag") ?? "";
        arrived(part, answer);
        while (isPressed()) await new Promise((done) => setTimeout(done, 100));
        receive(part, text);
      } else {
        late(part, new DOMParser().parseFromString(await answer.text(), "text/html").querySelector(".problem strong")?.textContent);
      }
    } catch { late(part) } finally {
      clearTimeout(slow);
      part.removeAttribute("aria-busy");
      state.busy = false;
      state.at = clock();
      state.due = state.at + 1000 * Number(part.dataset.every || 5);
    }
  };
  // The numbers of the lists. One that grows while the page is hidden marks its icon.
  let waits = Infinity;
  const count = (numbers) => {
    for (const [name, number] of numbers) for (const place of all(`[data-count="${name}"]`)) write(place, number);
    const shown = first("[aria-current] [data-count]");
    if (shown) document.title = document.title.replace(/^(\(\d+\) )?/, shown.textContent === "0" ? "" : `(${shown.textContent}) `);
    const todo = Number(numbers.get("todo") ?? waits);
    if (document.hidden && todo > waits) {
      markIcon("alert");
      if (kept.get("notify", "off") === "on" && Notification.permission === "granted") new Notification(say("waits"));
    }
    waits = todo;
  };
  const markIcon = (name) => { const icon = first("link[rel=icon]"); icon.href = icon.dataset[name] };
  const arrived = (part, answer) => {
    setServerTime(answer.headers.get("x-now"));
    count(new URLSearchParams(answer.headers.get("x-counts") ?? ""));
    if (part.dataset.state === "stale") { delete part.dataset.state; tell(part, stateOf(part).heldText) }
    for (const element of all("time[data-read]")) element.dateTime = new Date(now()).toISOString();
  };
  // The last content stays, at full contrast, with its time.
  const late = (part, why) => {
    const since = all("time[data-read]")[0]?.dateTime ?? new Date(now()).toISOString();
    part.dataset.state = "stale";
    tell(part, `${why ?? say("notReached")}. ${say("late", { t: clockOf(Date.parse(since)) })}`);
  };

  // Nothing moves between a press and its release, or while a click loads a page. Some releases are not reported.
  let pressedUntil = 0;
  for (const [name, time] of [["down", 5000], ["up", 500], ["cancel", 0]]) addEventListener(`pointer${name}`, () => { pressedUntil = clock() + time }, true);
  const isPressed = () => clock() < pressedUntil;

  const receive = (part, text) => {
    const holder = document.createElement("template");
    holder.innerHTML = text;
    const fresh = holder.content.getElementById(part.id);
    if (!fresh) { late(part); return }
    // Another step is due, and nothing can be typed on the page.
    if ("reload" in fresh.dataset) { location.reload(); return }
    const line = holder.content.getElementById("status-line");
    if (line) { first("#status").replaceChildren(...line.content.cloneNode(true).childNodes); showTimes(first("#status")) }
    if (isTouched(part)) hold(part, fresh); else show(part, fresh);
  };
  const keepOpen = (before, after) => {
    const open = new Set(all("details[open][id]", before).map((one) => one.id));
    for (const one of all("details[id]", after)) if (open.has(one.id)) one.open = true;
  };
  const show = (part, fresh) => {
    keepOpen(part, fresh);
    const state = stateOf(part);
    state.waiting = null;
    state.heldText = "";
    part.replaceChildren(...fresh.childNodes);
    showTimes(part);
  };
  // Under pointer or focus nothing moves, except when another step is due: then no button of this one may stay. Known rows and the line that leads change in their place, new rows wait for a click.
  const hold = (part, fresh) => {
    if (fresh.querySelector("[data-moved]")) {
      const had = part.contains(document.activeElement);
      show(part, fresh);
      if (had) { part.tabIndex = -1; part.focus({ preventScroll: true }) }
      return;
    }
    const lead = fresh.querySelector("[data-lead]");
    if (lead) part.querySelector("[data-lead]")?.replaceWith(lead.cloneNode(true));
    const state = stateOf(part), before = keysOf(part), after = keysOf(fresh);
    const added = [...after.keys()].filter((key) => !before.has(key)).length;
    const changed = after.size !== before.size || before.size === 0;
    for (const [key, row] of before) {
      const other = after.get(key);
      row.classList.toggle("gone", !other);
      if (!other || row.matches(":hover") || row.contains(document.activeElement) || isSelected(row)) continue;
      const clone = other.cloneNode(true);
      keepOpen(row, clone);
      row.replaceWith(clone);
    }
    showTimes(part);
    const button = part.querySelector("[data-held-show]");
    if (!button || (!added && !changed)) { if (!button) show(part, fresh); return }
    state.waiting = fresh;
    state.heldText = added ? say("more", { n: added }) : "";
    button.hidden = false;
    button.textContent = added ? say("more", { n: added }) : say("changed");
  };
  const showHeld = (part) => {
    const { waiting } = stateOf(part);
    if (!waiting) return;
    const had = part.contains(document.activeElement);
    show(part, waiting);
    if (had) (part.querySelector("[data-row] a, a, button") ?? part).focus({ preventScroll: true });
  };
  // A hidden page asks only for the parts that say how often.
  const pollDue = () => {
    for (const part of all(document.hidden ? "[data-hidden-every]" : "[data-poll]")) {
      const state = stateOf(part), time = clock();
      if (state.waiting && !isTouched(part) && !isPressed()) show(part, state.waiting);
      if (time >= state.due && (!document.hidden || time >= state.at + 1000 * Number(part.dataset.hiddenEvery))) { state.due = Infinity; poll(part) }
    }
  };
  // Other scripts ask for an update by this event: after a server-sent event.
  on("console:refresh", (event) => {
    const part = event.target.closest?.("[data-poll]");
    for (const one of part ? [part] : all("[data-poll]")) stateOf(one).due = Math.min(stateOf(one).due, clock() + 1000);
  });

  // ---- Keys
  let afterG = 0;
  const isTyping = (element) => element.closest("input, select, textarea, [contenteditable], dialog") !== null;
  const step = (by) => {
    const rows = all("[data-row]").filter((row) => row.offsetParent !== null);
    if (!rows.length) return;
    const here = rows.findIndex((row) => row.contains(document.activeElement));
    const next = rows[Math.min(rows.length - 1, Math.max(0, here < 0 ? 0 : here + by))];
    (next.matches("a") ? next : next.querySelector("a, button, summary"))?.focus();
  };
  const onKey = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || kept.get("keys", "on") === "off") return;
    if (event.target instanceof Element && isTyping(event.target)) return;
    const wasG = clock() - afterG < 1500;
    afterG = 0;
    const place = wasG && all(".nav a[href]").find((one) => one.dataset.keys === event.key);
    if (place) location.assign(place.href);
    else if (event.key === "g") afterG = clock();
    else if (event.key === "/") { first("[data-find]")?.focus(); first("[data-find]")?.select() }
    else if (event.key === "j") step(1);
    else if (event.key === "k") step(-1);
    else if (event.key === "?") first("#keys")?.showModal();
    else return;
    if (event.key !== "g") event.preventDefault();
  };

  // ---- The report: a reason chosen, or a why typed, chooses its result; another result clears them.
  const onReport = (event) => {
    const form = event.target instanceof Element ? event.target.closest("#report") : null;
    if (!form) return;
    const { reason, why } = form.elements, choose = (id) => { form.querySelector(`#result-${id}`).checked = true };
    if (event.target === reason && reason.value) { choose("unable"); why.value = "" }
    else if (event.target === why && why.value) { choose("revoked"); reason.value = "" }
    else if (event.target.name === "result") {
      if (event.target.id !== "result-unable") reason.value = "";
      if (event.target.id !== "result-revoked") why.value = "";
    }
  };
  on("input", onReport);

  // ---- The page
  const leaving = () => { const slow = setTimeout(() => html.classList.add("loading"), 300); addEventListener("pageshow", () => { clearTimeout(slow); html.classList.remove("loading") }, { once: true }) };
  const onClick = (event) => {
    const target = event.target instanceof Element ? event.target : null;
    const held = target?.closest("[data-held-show]");
    if (held) showHeld(held.closest("[data-poll]"));
    const id = target?.closest("[data-copy-id]");
    if (id) navigator.clipboard?.writeText(id.previousElementSibling.textContent).then(() => write(id, say("copied")), () => {});
    if (target?.closest("[data-open-keys]")) first("#keys").showModal();
    const link = target?.closest("a[href]");
    if (link && !event.defaultPrevented && event.button === 0 && !event.ctrlKey && !event.metaKey && !event.shiftKey
      && link.target !== "_blank" && !link.hasAttribute("download") && link.origin === location.origin && !(link.hash && link.pathname === location.pathname)) leaving();
  };
  const begin = () => {
    words = { ...first("#words")?.dataset };
    for (const element of all("[data-needs-script]")) element.hidden = false;
    const zone = first("[data-zone]"), theme = first("[data-theme-choice]");
    const keys = first("[data-keys-switch]"), notify = first("[data-notify]");
    if (notify) {
      notify.checked = kept.get("notify", "off") === "on";
      notify.addEventListener("change", () => { kept.set("notify", notify.checked ? "on" : "off"); if (notify.checked) Notification.requestPermission() });
    }
    for (const place of all('[data-count="todo"]')) waits = Number(place.textContent);
    print.addEventListener("change", () => showTimes());
    if (zone) { zone.value = kept.get("zone", "local"); zone.addEventListener("change", () => { kept.set("zone", zone.value); showTimes() }) }
    if (theme) { theme.value = kept.get("theme", "auto"); theme.addEventListener("change", () => { kept.set("theme", theme.value); setTheme(theme.value) }) }
    if (keys) { keys.checked = kept.get("keys", "on") === "on"; keys.addEventListener("change", () => kept.set("keys", keys.checked ? "on" : "off")) }
    showTimes();
    for (const part of all("[data-poll]")) stateOf(part).due = clock() + 1000 * Number(part.dataset.every || 5);
    setInterval(() => { if (!document.hidden) tick(); pollDue() }, 1000);
    // A page that comes back, from another tab or from sleep, asks at once.
    on("visibilitychange", () => { if (!document.hidden) { markIcon("plain"); for (const part of all("[data-poll]")) stateOf(part).due = 0; pollDue() } });
    on("keydown", onKey);
    on("click", onClick);
    on("submit", (event) => { if (event.target.target !== "_blank" && event.target.method !== "dialog") leaving() });
    // Parts that another script inserts have times too.
    new MutationObserver((changes) => {
      for (const change of changes) for (const node of change.addedNodes) if (node instanceof Element && node.querySelector("time")) { showTimes(node.parentElement ?? node); return }
    }).observe(document.body, { childList: true, subtree: true });
    addEventListener("beforeprint", () => { for (const one of all("details:not([open])")) { one.open = true; one.dataset.printed = "" } });
    addEventListener("afterprint", () => { for (const one of all("details[data-printed]")) { one.open = false; delete one.dataset.printed } });
  };
  if (document.readyState === "loading") on("DOMContentLoaded", begin); else begin();
})();
