// Makes pages live: theme, times, keys, charts. Every page works without it; nothing here decides what is shown.
"use strict";
(() => {
  const root = document.documentElement;
  const kept = (name) => { try { return localStorage.getItem(name); } catch { return null; } };
  const keep = (name, value) => { try { localStorage.setItem(name, value); } catch { /* it lasts for this page */ } };

  // Theme: the system's, until somebody chooses. Before the first paint.
  const theme = kept("prober-theme");
  if (theme === "dark" || theme === "light") root.dataset.theme = theme;
  const isDark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  function turnTheme() {
    root.dataset.theme = isDark() ? "light" : "dark";
    keep("prober-theme", root.dataset.theme);
    drawCharts();
  }

  // Times: UTC as the server wrote them, or local with UTC in the title.
  let local = kept("prober-zone") === "local";
  const two = (number) => String(number).padStart(2, "0");
  function localText(at, utcText) {
    const clock = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
    const today = new Date().toDateString() === at.toDateString();
    return today && !/\d-\d/.test(utcText) ? clock : `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${clock}`;
  }
  function showTimes(within) {
    for (const element of within.querySelectorAll("time[datetime]")) {
      if (element.dataset.utc === undefined) element.dataset.utc = element.textContent;
      const at = new Date(element.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      const utc = element.dateTime.slice(0, 19).replace("T", " ");
      element.textContent = local ? localText(at, element.dataset.utc) : element.dataset.utc;
      element.title = `${utc} UTC · ${localText(at, "0-0")} local`;
    }
    const zone = document.getElementById("zone");
    if (zone) zone.textContent = local ? "UTC" : "local time";
  }
  function turnZone() {
    local = !local;
    keep("prober-zone", local ? "local" : "utc");
    showTimes(document);
    drawCharts();
  }

  // Charts.
  const charts = new Map();
  let steep = kept("prober-scale") === "log";
  function turnScale() {
    steep = !steep;
    keep("prober-scale", steep ? "log" : "linear");
    for (const button of document.querySelectorAll("button.scale")) button.setAttribute("aria-pressed", String(steep));
    drawCharts();
  }
  /** A switch beside the chart's name, for without the script there is no chart. */
  function scaleSwitch(figure) {
    const title = figure.parentElement.querySelector("h2");
    if (!title || title.querySelector("button.scale")) return;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "scale";
    button.textContent = "log scale";
    button.setAttribute("aria-pressed", String(steep));
    button.addEventListener("click", turnScale);
    title.append(" ", button);
  }
  /** From nought, with the limit in sight; by powers of ten from the least that was measured. */
  function heights(limit) {
    const top = (high) => Math.max(high ?? 0, limit ?? 0, 0.001) * 1.1;
    if (!steep) return { range: (_, low, high) => [Math.min(0, low ?? 0), top(high)] };
    return { distr: 3, range: (_, low, high) => uPlot.rangeLog(Math.max(low ?? 0.001, 1e-6), top(high), 10, true) };
  }
  function colour(name) {
    // A colour of two themes is known only where it is used.
    const probe = document.createElement("span");
    probe.style.color = `var(${name})`;
    document.body.append(probe);
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  }
  const dashes = [[], [8, 4], [2, 3], [10, 3, 2, 3], [4, 4], [1, 2]];
  function unit(value, what) {
    if (value === null || value === undefined) return "–";
    if (what === "days_left") return `${value.toFixed(1)} d`;
    if (value < 0.9995) return `${(value * 1000).toFixed(value < 0.01 ? 1 : 0)} ms`;
    if (value < 120) return `${value.toFixed(value < 10 ? 2 : 1)} s`;
    if (value < 7200) return `${(value / 60).toFixed(1)} min`;
    return value < 172800 ? `${(value / 3600).toFixed(1)} h` : `${(value / 86400).toFixed(1)} d`;
  }
  async function loadChart(figure) {
    const answer = await fetch(figure.dataset.series);
    if (!answer.ok) throw new Error(String(answer.status));
    const data = await answer.json();
    charts.set(figure, { data, plot: charts.get(figure)?.plot ?? null });
    drawChart(figure);
  }
  function lines(data) {
    const since = Date.parse(data.since) / 1000;
    const count = Math.round((Date.parse(data.until) / 1000 - since) / data.step);
    const xs = Array.from({ length: count }, (_, index) => since + index * data.step);
    const columns = [xs];
    const series = [{ value: (_, at) => (at === null ? "–" : clock(at)) }];
    const several = data.regions.length > 1;
    const place = (one) => (one.replica ? `${one.region}/${one.replica}` : one.region);
    const wanted = several ? [["p95", ""]] : [["p50", "p50"], ["p95", "p95"], ["max", "greatest"]];
    data.regions.forEach((region, number) => {
      for (const [key, name] of wanted) {
        const column = new Array(count).fill(null);
        for (const bucket of region.buckets) {
          const place = Math.round((bucket.at - since) / data.step);
          if (place >= 0 && place < count) column[place] = bucket[key];
        }
        columns.push(column);
        const points = key === "max";
        series.push({
          label: several ? `${place(region)} p95` : name,
          stroke: key === "max" ? colour("--grey") : colour("--good"),
          width: key === "p50" ? 2 : 1.5,
          dash: several ? dashes[number % dashes.length] : key === "p95" ? dashes[1] : [],
          paths: points ? () => null : undefined,
          points: { show: true, size: points ? 5 : 4, fill: points ? colour("--ground") : undefined },
          spanGaps: false,
          value: (_, value) => unit(value, data.what),
        });
      }
    });
    return { columns, series };
  }
  /** `14:05`, or the day at midnight. */
  function clock(seconds) {
    const at = new Date(seconds * 1000);
    const text = local ? `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}` : at.toISOString().slice(0, 16).replace("T", " ");
    return text.endsWith("00:00") ? text.slice(5, 10) : text.slice(11);
  }
  function drawChart(figure) {
    const known = charts.get(figure);
    if (!known || typeof uPlot === "undefined") return;
    if (known.plot) known.plot.destroy();
    const { data } = known;
    const { columns, series } = lines(data);
    const limit = data.threshold;
    const axis = { stroke: colour("--quiet"), grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line") }, font: "12px system-ui, sans-serif" };
    const threshold = (plot) => {
      if (limit === null) return;
      const y = plot.valToPos(limit, "y", true);
      const { ctx, bbox } = plot;
      if (y < bbox.top || y > bbox.top + bbox.height) return;
      ctx.save();
      ctx.strokeStyle = ctx.fillStyle = colour("--bad");
      ctx.setLineDash([6, 4]);
      ctx.lineWidth = 1.5 * devicePixelRatio;
      ctx.beginPath();
      ctx.moveTo(bbox.left, y);
      ctx.lineTo(bbox.left + bbox.width, y);
      ctx.stroke();
      ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
      ctx.textAlign = "right";
      ctx.fillText(`limit ${unit(limit, data.what)}`, bbox.left + bbox.width - 4, y - 5 * devicePixelRatio);
      ctx.restore();
    };
    known.plot = new uPlot({
      width: Math.max(figure.clientWidth, 200),
      height: 220,
      series,
      tzDate: (seconds) => (local ? new Date(seconds * 1000) : uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC")),
      scales: { y: heights(limit) },
      // As far from the left as the strips below it: one time axis for all.
      padding: [12, 0, 0, 0],
      legend: { markers: { dash: (_, index) => ["solid", "dashed", "dotted", "double"][(index - 1) % 4] } },
      axes: [{ ...axis, values: (_, ticks) => ticks.map(clock) }, { ...axis, size: figure.clientWidth > 700 ? 100 : 64, values: (_, ticks) => ticks.map((tick) => (tick === null ? "" : unit(tick, data.what))) }],
      hooks: { draw: [threshold] },
      cursor: { sync: { key: "prober" } },
    }, columns, figure);
  }
  function drawCharts() {
    for (const figure of charts.keys()) if (figure.isConnected) drawChart(figure); else charts.delete(figure);
  }

  // Scatter: a box that is drawn chooses what is compared with the rest.
  function boxes(within) {
    for (const picture of within.querySelectorAll("svg.scatter")) {
      const form = document.getElementById(picture.dataset.form);
      if (!form) continue;
      let begin = null;
      let box = null;
      const place = (event) => {
        const at = picture.getBoundingClientRect();
        const part = (value, from, size) => Math.min(1, Math.max(0, (value - from) / size));
        return [part(event.clientX, at.left, at.width), part(event.clientY, at.top, at.height)];
      };
      picture.addEventListener("pointerdown", (event) => {
        if (event.button !== 0) return;
        begin = place(event);
        box = document.createElementNS("http://www.w3.org/2000/svg", "rect");
        box.setAttribute("class", "box");
        picture.append(box);
        picture.setPointerCapture(event.pointerId);
        event.preventDefault();
      });
      picture.addEventListener("pointermove", (event) => {
        if (!begin) return;
        const end = place(event);
        const [x, y] = [Math.min(begin[0], end[0]) * 1000, Math.min(begin[1], end[1]) * 240];
        box.setAttribute("x", x);
        box.setAttribute("y", y);
        box.setAttribute("width", Math.abs(begin[0] - end[0]) * 1000);
        box.setAttribute("height", Math.abs(begin[1] - end[1]) * 240);
      });
      picture.addEventListener("pointerup", (event) => {
        if (!begin) return;
        const end = place(event);
        const { since, until, top } = picture.dataset;
        const at = (part) => new Date(Number(since) + part * (Number(until) - Number(since))).toISOString();
        const took = (part) => ((1 - part) * Number(top)).toPrecision(6);
        const drawn = Math.abs(begin[0] - end[0]) > 0.005 && Math.abs(begin[1] - end[1]) > 0.005;
        if (drawn) {
          form.elements.from.value = at(Math.min(begin[0], end[0]));
          form.elements.to.value = at(Math.max(begin[0], end[0]));
          form.elements.low.value = took(Math.max(begin[1], end[1]));
          form.elements.high.value = took(Math.min(begin[1], end[1]));
          form.requestSubmit();
        } else {
          box.remove();
          const run = document.elementFromPoint(event.clientX, event.clientY)?.closest("[data-run]");
          if (run) location.assign(run.dataset.run);
        }
        begin = null;
      });
    }
  }

  /** Copies a command; only where the browser lets a page do so. */
  function copyButton(place) {
    if (!navigator.clipboard || place.querySelector("button")) return;
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(place.querySelector("pre").textContent);
        button.textContent = "Copied";
      } catch { button.textContent = "The browser does not allow it"; }
    });
    place.append(button);
  }

  function enhance(within) {
    showTimes(within);
    boxes(within);
    for (const place of within.querySelectorAll(".copied")) copyButton(place);
    for (const figure of within.querySelectorAll("figure.chart[data-series]")) {
      scaleSwitch(figure);
      loadChart(figure).catch(() => { figure.textContent = "The chart's numbers could not be loaded; the table has them."; });
    }
  }

  // Live: a word from the server loads the page again, in place.
  const stale = (is) => { const sign = document.getElementById("stale"); if (sign) sign.hidden = !is; };
  let loading = false;
  let again = false;
  function isBusy() {
    const active = document.activeElement;
    return document.hidden || (active && /^(INPUT|SELECT|TEXTAREA)$/.test(active.tagName)) || document.querySelector("dialog[open], svg.scatter .box") !== null;
  }
  function mark(element) {
    const all = [...document.querySelectorAll("main a, main button, main summary")];
    const same = all.filter((other) => other.textContent === element.textContent && other.tagName === element.tagName);
    return [element.tagName, element.textContent, same.indexOf(element)];
  }
  function find([tag, text, number]) {
    return [...document.querySelectorAll(`main ${tag.toLowerCase()}`)].filter((other) => other.textContent === text)[number];
  }
  async function reload() {
    if (isBusy()) { again = true; return; }
    if (loading) { again = true; return; }
    loading = true;
    again = false;
    try {
      const answer = await fetch(location.href, { headers: { accept: "text/html" } });
      if (!answer.ok) throw new Error(String(answer.status));
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      const [main, next] = [document.getElementById("main"), fresh.getElementById("main")];
      const active = main.contains(document.activeElement) ? mark(document.activeElement) : null;
      const open = [...main.querySelectorAll("details")].map((one) => one.open);
      // Charts stay and get new numbers: a new one would flicker.
      const old = main.querySelector("figure.chart");
      main.replaceChildren(...next.childNodes);
      const place = main.querySelector("figure.chart");
      if (old && place && old.dataset.series === place.dataset.series) place.replaceWith(old);
      [...main.querySelectorAll("details")].forEach((one, number) => { if (open[number] !== undefined) one.open = open[number]; });
      document.title = fresh.title;
      const now = [document.querySelector(".now time"), fresh.querySelector(".now time")];
      if (now[0] && now[1]) now[0].replaceWith(now[1]);
      enhance(main);
      showTimes(document);
      if (active) { const element = find(active); if (element) element.focus({ preventScroll: true }); }
      stale(false);
    } catch {
      stale(true);
    } finally {
      loading = false;
    }
  }
  function listen() {
    // A page for everybody does not keep a line to the server: it asks now and then.
    if (document.body.dataset.again) setInterval(reload, Number(document.body.dataset.again) * 1000);
    if (document.body.dataset.live === undefined || typeof EventSource === "undefined") return;
    const source = new EventSource("/live");
    source.addEventListener("change", reload);
    source.addEventListener("open", () => stale(false));
    source.addEventListener("error", () => stale(true));
    setInterval(() => { if (again) reload(); }, 1000);
    document.addEventListener("visibilitychange", () => { if (!document.hidden) reload(); });
  }

  // Keys.
  const places = { o: "/", a: "/alerts", e: "/events", w: "/review", p: "/prober", c: "/config" };
  const help = [["/", "find"], ["j k", "next, previous row"], ["g o", "overview"], ["g a", "alerts"], ["g e", "events"], ["g w", "weekly review"], ["g p", "the prober"], ["g c", "configuration"], ["u", "UTC or local time"], ["t", "theme"], ["l", "linear or log scale"], ["r", "load again"], ["?", "this list"]];
  function showHelp() {
    let dialog = document.getElementById("keys");
    if (!dialog) {
      dialog = document.createElement("dialog");
      dialog.id = "keys";
      dialog.setAttribute("aria-label", "Keys");
      const list = document.createElement("dl");
      for (const [key, what] of help) {
        const [term, text] = [document.createElement("dt"), document.createElement("dd")];
        term.textContent = key;
        text.textContent = what;
        list.append(term, text);
      }
      const form = document.createElement("form");
      form.method = "dialog";
      const close = document.createElement("button");
      close.textContent = "Close";
      form.append(close);
      dialog.append(list, form);
      document.body.append(dialog);
    }
    if (!dialog.open) dialog.showModal();
  }
  function step(by) {
    const rows = [...document.querySelectorAll("main table.rows tbody tr")].filter((row) => row.querySelector("a"));
    const at = rows.findIndex((row) => row.contains(document.activeElement));
    const next = rows[Math.min(rows.length - 1, Math.max(0, at < 0 ? 0 : at + by))];
    if (next) { const link = next.querySelector("a"); link.focus(); link.scrollIntoView({ block: "nearest" }); }
  }
  let went = 0;
  function pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || /^(INPUT|SELECT|TEXTAREA)$/.test(event.target.tagName)) return;
    if (Date.now() - went < 1500 && places[event.key]) { location.assign(places[event.key]); return; }
    went = event.key === "g" ? Date.now() : 0;
    const actions = { j: () => step(1), k: () => step(-1), u: turnZone, t: turnTheme, l: turnScale, r: reload, "?": showHelp, "/": () => document.querySelector("main input[type=search], main input[name=q]")?.focus() };
    const action = actions[event.key];
    if (action) { event.preventDefault(); action(); }
  }

  document.addEventListener("DOMContentLoaded", () => {
    const controls = document.getElementById("controls");
    if (controls) controls.hidden = false;
    document.getElementById("zone")?.addEventListener("click", turnZone);
    document.getElementById("theme")?.addEventListener("click", turnTheme);
    document.addEventListener("keydown", pressed);
    addEventListener("resize", drawCharts);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawCharts);
    enhance(document);
    listen();
  });
})();
