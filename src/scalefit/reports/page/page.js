"use strict";
(function () {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const SUFFIXES = [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]];

  // Three digits, counts with k, M, B or T: as the page's static numbers are written.
  function amount(value) {
    if (!Number.isFinite(value)) return "open";
    value = Number(value.toPrecision(3));
    for (const [size, suffix] of SUFFIXES) {
      if (value >= size && value < 1e15) return plain(value / size) + suffix;
    }
    return plain(value);
  }
  function plain(value) {
    if (value !== 0 && (Math.abs(value) >= 1e6 || Math.abs(value) < 1e-4)) {
      return value.toExponential(2).replace(/\.?0+e/, "e").replace("e+", "e");
    }
    return String(Number(value.toPrecision(6)));
  }
  // Budgets are powers of ten to people.
  function power(value) {
    if (!Number.isFinite(value)) return "open";
    return value < 1e4 ? plain(value) : value.toExponential(2).replace(/\.?0+e/, "e").replace("e+", "e");
  }
  const digits = (value) => (Number.isFinite(value) ? plain(Number(value.toPrecision(4))) : "open");

  // Straight between budgets in the logarithm of both; in the value itself where a logarithm has none.
  function between(columns, name, where) {
    const values = columns[name];
    if (!values) return NaN;
    const k = Math.min(Math.max(Math.floor(where), 0), values.length - 1);
    const share = where - k;
    const a = values[k], b = values[Math.min(k + 1, values.length - 1)];
    if (share === 0 || a === b) return a === null ? NaN : a;
    if (a === null || b === null) return NaN;
    return a > 0 && b > 0 ? a * Math.pow(b / a, share) : a + share * (b - a);
  }

  // Light and dark.
  const theme = byId("theme"), root = document.documentElement;
  const prefers = window.matchMedia("(prefers-color-scheme: dark)");
  const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : prefers.matches);
  function showTheme() {
    theme.textContent = isDark() ? "Light" : "Dark";
    theme.setAttribute("aria-label", isDark() ? "Switch to light colours" : "Switch to dark colours");
    theme.setAttribute("aria-pressed", String(isDark()));
  }
  theme.hidden = false;
  theme.addEventListener("click", function () {
    root.dataset.theme = isDark() ? "light" : "dark";
    showTheme();
  });
  prefers.addEventListener("change", showTheme);
  showTheme();

  // The snippet.
  const copy = byId("copy");
  if (navigator.clipboard) {
    copy.hidden = false;
    copy.addEventListener("click", function () {
      navigator.clipboard.writeText(byId("snippet").textContent).then(
        () => { copy.textContent = "Copied"; },
        () => { copy.textContent = "Select it by hand"; }
      );
    });
  }

  // The budget.
  const grid = data.grid;
  let where = 0;  // a place on the grid, whole at a budget that was asked
  if (grid) {
    const C = grid.columns.C, range = byId("log-budget"), text = byId("budget-number");
    const last = C.length - 1;
    byId("slider").hidden = false;
    range.min = 0;
    range.max = last;
    range.step = 0.125;
    const show = function () {
      for (const name of ["N", "D", "ratio", "loss"]) {
        const format = name === "N" || name === "D" ? amount : digits;
        byId("best-" + name).textContent = format(between(grid.columns, name, where));
        byId("ends-" + name).textContent =
          format(between(grid.columns, name + "_lo", where)) + " to " + format(between(grid.columns, name + "_hi", where));
      }
      const budget = between(grid.columns, "C", where);
      range.setAttribute("aria-valuetext", power(budget) + " FLOPs");
      const far = between(grid.columns, "distance", where);
      const said = grid.columns.caution[Math.round(where)];
      byId("budget-caution").textContent =
        (far > 0 ? digits(Number(far.toPrecision(2))) + " decades outside the runs" : "among the runs") +
        (said ? "; speaks against it: " + said : "");
      drawChart();
    };
    const place = function (budget) {
      let k = 0;
      while (k < last && C[k + 1] <= budget) k += 1;
      if (k === last) return last;
      return k + Math.log(budget / C[k]) / Math.log(C[k + 1] / C[k]);
    };
    range.addEventListener("input", function () {
      where = Number(range.value);
      text.value = power(between(grid.columns, "C", where));
      byId("budget-note").textContent = "";
      text.removeAttribute("aria-invalid");
      show();
    });
    text.addEventListener("change", function () {
      const budget = Number(text.value.trim().replace(/[,_\s]/g, ""));
      const note = byId("budget-note");
      if (!(budget > 0 && Number.isFinite(budget))) {
        note.textContent = "Write a budget as a number, for example 1e21.";
        text.setAttribute("aria-invalid", "true");
        return;
      }
      text.removeAttribute("aria-invalid");
      const inside = Math.min(Math.max(budget, C[0]), C[last]);
      note.textContent = inside === budget ? "" :
        "This page reaches from " + power(C[0]) + " to " + power(C[last]) + " FLOPs.";
      where = place(inside);
      range.value = where;
      show();
    });
    where = C.indexOf(grid.target);
    range.value = where;
    text.value = power(grid.target);
    window.addEventListener("load", show);
  }

  // The runs.
  const NS = "http://www.w3.org/2000/svg";
  const runs = data.runs, LEFT = 62, RIGHT = 16, TOP = 14, BOTTOM = 52;
  // One unit of the picture is one pixel, so that its words keep their size on a phone.
  let W = 720, H = 430;
  let chosen = -1;

  function element(name, attributes, parent, words) {
    const made = document.createElementNS(NS, name);
    for (const key in attributes) made.setAttribute(key, attributes[key]);
    if (words !== undefined) made.textContent = words;
    if (parent) parent.appendChild(made);
    return made;
  }

  function scale(values, log, from, to) {
    let lo = Math.min(...values), hi = Math.max(...values);
    if (log) { lo = Math.log10(lo); hi = Math.log10(hi); }
    const pad = (hi - lo) * 0.05 || Math.abs(hi) * 0.05 || 1;
    lo -= pad; hi += pad;
    const at = (v) => from + ((log ? Math.log10(v) : v) - lo) / (hi - lo) * (to - from);
    at.ticks = log ? logTicks(lo, hi) : linearTicks(lo, hi);
    return at;
  }
  function linearTicks(lo, hi) {
    const raw = (hi - lo) / 5, size = Math.pow(10, Math.floor(Math.log10(raw)));
    const step = [1, 2, 5, 10].map((m) => m * size).find((s) => s >= raw);
    const ticks = [];
    for (let k = Math.ceil(lo / step); k * step <= hi; k += 1) ticks.push(k * step);
    return ticks;
  }
  function logTicks(lo, hi) {
    const every = Math.max(1, Math.ceil((hi - lo) / Math.min(7, W / 70))), found = [];
    for (let k = Math.ceil(lo); k <= hi; k += 1) if (k % every === 0) found.push(Math.pow(10, k));
    if (found.length >= 2) return found;
    // Less than two decades: 1, 2, 5; less than a factor of four: evenly.
    const fine = [];
    for (let k = Math.floor(lo); k <= hi; k += 1) {
      for (const m of [1, 2, 5]) {
        const value = m * Math.pow(10, k), at = Math.log10(value);
        if (at >= lo && at <= hi) fine.push(value);
      }
    }
    return fine.length >= 3 ? fine : linearTicks(Math.pow(10, lo), Math.pow(10, hi)).filter((v) => v > 0);
  }

  function drawChart() {
    if (!runs) return;
    const name = byId("x-input").value, holder = byId("chart");
    W = Math.max(300, Math.min(holder.clientWidth || 720, 1000));
    H = Math.round(Math.max(280, Math.min(0.6 * W, 460)));
    const focused = holder.contains(document.activeElement);
    const xs = runs.x[name], ys = runs.y;
    const xLog = byId("x-log").checked, yLog = byId("y-log").checked;
    const can = (v, log) => v !== null && Number.isFinite(v) && (!log || v > 0);
    const shown = xs.map((v, k) => k).filter((k) => can(xs[k], xLog) && can(ys[k], yLog));
    let best = [];
    if (grid && grid.columns[name]) {
      const c = grid.columns;
      best = c[name].map((v, k) => ({ x: v, y: c.loss[k], lo: (c.loss_lo || [])[k], hi: (c.loss_hi || [])[k] }))
        .filter((p) => can(p.x, xLog) && can(p.y, yLog));
      // On a straight axis the far budgets would press all runs into a corner.
      if (!xLog) {
        const end = 1.5 * Math.max(...shown.map((k) => xs[k]));
        best = best.filter((p) => p.x <= end);
      }
    }
    const ring = grid && grid.columns[name] ?
      { x: between(grid.columns, name, where), y: between(grid.columns, "loss", where) } : null;
    const ringShown = ring && can(ring.x, xLog) && can(ring.y, yLog) &&
      (xLog || best.length && ring.x <= best[best.length - 1].x * 1.0001);
    const ends = (key) => best.map((p) => p[key]).filter((v) => can(v, yLog));
    const X = scale(shown.map((k) => xs[k]).concat(best.map((p) => p.x)), xLog, LEFT, W - RIGHT);
    const Y = scale(shown.map((k) => ys[k]).concat(best.map((p) => p.y), ends("lo"), ends("hi")), yLog, H - BOTTOM, TOP);
    const svg = element("svg", {
      viewBox: "0 0 " + W + " " + H, tabindex: "0", role: "application",
      "aria-label": shown.length + " runs: " + runs.output + " against " + runs.names[name] +
        ". Arrow keys move from run to run.", id: "scatter"
    });
    for (const v of X.ticks) {
      element("line", { class: "tick", x1: X(v), x2: X(v), y1: TOP, y2: H - BOTTOM }, svg);
      element("text", { x: X(v), y: H - BOTTOM + 18, "text-anchor": "middle" }, svg, name === "C" ? power(v) : amount(v));
    }
    for (const v of Y.ticks) {
      element("line", { class: "tick", x1: LEFT, x2: W - RIGHT, y1: Y(v), y2: Y(v) }, svg);
      element("text", { x: LEFT - 7, y: Y(v) + 4, "text-anchor": "end" }, svg, digits(v));
    }
    element("path", { class: "axis", d: "M" + LEFT + " " + TOP + "V" + (H - BOTTOM) + "H" + (W - RIGHT) }, svg);
    element("text", { x: (LEFT + W - RIGHT) / 2, y: H - 12, "text-anchor": "middle" }, svg, runs.names[name]);
    element("text", {
      x: 0, y: 0, "text-anchor": "middle", transform: "translate(16 " + (TOP + H - BOTTOM) / 2 + ") rotate(-90)"
    }, svg, runs.output);
    const path = (points) => points.map((p, k) => (k ? "L" : "M") + p[0].toFixed(1) + " " + p[1].toFixed(1)).join("");
    const banded = best.filter((p) => can(p.lo, yLog) && can(p.hi, yLog));
    if (banded.length > 1) {
      const edge = banded.map((p) => [X(p.x), Y(p.hi)]).concat(banded.slice().reverse().map((p) => [X(p.x), Y(p.lo)]));
      element("path", { class: "band", d: path(edge) + "Z" }, svg);
    }
    if (best.length > 1) element("path", { class: "best", d: path(best.map((p) => [X(p.x), Y(p.y)])) }, svg);
    if (ringShown) element("circle", { class: "ring", id: "ring", cx: X(ring.x), cy: Y(ring.y), r: 8 }, svg);
    for (const k of shown) {
      const point = element("circle", {
        class: "run" + (runs.weight[k] > 0 ? "" : " out"), cx: X(xs[k]).toFixed(1), cy: Y(ys[k]).toFixed(1), r: 5, "data-run": k
      }, svg);
      const pick = function () { chosen = k; mark(); };
      point.addEventListener("pointerenter", pick);
      point.addEventListener("click", pick);
    }
    // Under the pointer it would hide the run, which would then be entered again.
    const over = element("g", { id: "chosen", "pointer-events": "none" }, svg);
    function mark() {
      over.replaceChildren();
      if (chosen < 0 || !shown.includes(chosen)) return;
      const x = X(xs[chosen]), y = Y(ys[chosen]), law = runs.fitted[chosen];
      if (can(law, yLog)) element("line", { class: "link", x1: x, x2: x, y1: y, y2: Math.min(Math.max(Y(law), TOP), H - BOTTOM) }, over);
      element("circle", { class: "here", cx: x, cy: y, r: 8 }, over);
      say(chosen);
    }
    svg.addEventListener("keydown", function (event) {
      const order = shown.slice().sort((a, b) => xs[a] - xs[b] || ys[a] - ys[b]);
      const at = order.indexOf(chosen);
      const steps = { ArrowRight: at + 1, ArrowUp: at + 1, ArrowLeft: at < 0 ? order.length - 1 : at - 1,
        ArrowDown: at < 0 ? order.length - 1 : at - 1, Home: 0, End: order.length - 1 };
      if (!(event.key in steps)) return;
      event.preventDefault();
      chosen = order[Math.min(Math.max(steps[event.key], 0), order.length - 1)];
      mark();
    });
    holder.replaceChildren(svg);
    if (focused) svg.focus();
    mark();
  }
  function say(k) {
    const law = runs.fitted[k];
    const off = law === null ? "" : "; law " + digits(law) + ", run " + plain(Number((100 * (runs.y[k] / law - 1)).toPrecision(2))) + " % from it";
    const inputs = Object.keys(runs.x).map((name) => name + " = " + (name === "C" ? power : amount)(runs.x[name][k])).join(", ");
    byId("run-note").textContent = "Run " + runs.labels[k] + ": " + inputs + "; " + runs.output + " " +
      digits(runs.y[k]) + off + (runs.weight[k] > 0 ? "" : "; not in the fit");
  }
  if (runs) {
    byId("explorer").hidden = false;
    const pick = byId("x-input");
    const order = Object.keys(runs.x).sort((a, b) => (b === "C") - (a === "C"));
    for (const name of order) {
      const option = document.createElement("option");
      option.value = name;
      option.textContent = runs.names[name];
      pick.appendChild(option);
    }
    const positive = (values) => values.every((v) => v === null || v > 0);
    const suit = function () {
      byId("x-log").checked = positive(runs.x[pick.value]);
      drawChart();
    };
    byId("y-log").checked = positive(runs.y);
    pick.addEventListener("change", suit);
    byId("x-log").addEventListener("change", drawChart);
    byId("y-log").addEventListener("change", drawChart);
    window.addEventListener("resize", drawChart);
    window.addEventListener("beforeprint", drawChart);
    suit();
  }
  root.dataset.ready = "true";
}());
