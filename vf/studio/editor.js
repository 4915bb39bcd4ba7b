// The studio's surface: film strip, regions, curves and spectrogram over one time axis, with a player.
// It draws the values of the model and sends each action to Python as {do: method, ...}. Only Python changes the curve.
const BLACK = "#000000", SKY = "#56B4E9", GREEN = "#009E73", BLUE = "#0072B2", RED = "#D55E00", PINK = "#CC79A7"; // colours of Okabe and Ito
const LINES = [ // trait, label, colour, width, dashes; widths and dashes differ for readers who see no colours
  ["achieved", "achieved", BLUE, 1.5, []], ["wanted", "wanted", RED, 2.5, []],
  ["predicted", "predicted", GREEN, 1.5, [5, 5]], ["stairs", "wanted, in bins", BLACK, 1, []],
];
const LANES = { film: 44, regions: 18, curve: 190, sound: 72, axis: 14 };
const LEFT = 54, RIGHT = 12, GAP = 5, QUIET = -60; // pixels, pixels, pixels, lowest level of the dB scale
const HINTS = {
  Draw: "Drag over the curve to draw it.", Points: "Drag a point of the curve, or pull the line where there is none.",
  Select: "Click an event; drag it sideways to move it, up or down to scale it; Delete removes it; arrow keys nudge.",
  Stamp: "Drag from onset to end, as high as its level; a click takes the length under Shape; S stamps at the playhead.",
};

function render({ model, el }) {
  const floats = (name) => { const v = model.get(name); return new Float32Array(v.buffer.slice(v.byteOffset, v.byteOffset + v.byteLength)); };
  const send = (message) => model.send(message);
  const make = (tag, parent, props = {}) => parent.appendChild(Object.assign(document.createElement(tag), props));
  const root = make("div", el, { className: "vf-editor", tabIndex: 0, ariaLabel: "studio: film, wanted curve and sound over time" });
  root.dataset.lmSuppressShortcuts = "true"; // otherwise JupyterLab takes the keys for itself
  const head = make("div", root, { className: "vf-head" });
  const video = make("video", head, { preload: "auto", title: "play or pause (space)", playsInline: true });
  const side = make("div", head, { className: "vf-side" });
  const canvas = make("canvas", root), pen = canvas.getContext("2d");
  const hint = document.createElement("div");
  hint.className = "vf-hint";

  const images = {}, unitOf = { 0.05: 0.01, 0.1: 0.02, 0.2: 0.05, 0.3: 0.1, 0.4: 0.1, 0.6: 0.2, 0.8: 0.2, 1: 0.2 }; // highest level: step of its ticks
  let address = null, recorder = null, how = "", curves = {}, view = [0, model.get("seconds")], tool = "Draw", decibel = false, stairs = false, drag = null, top = 0.2, width = 0;
  const lanes = {};
  let bottom = 0;
  const layout = () => { // regions that overlap lie in rows of their own
    const rows = 1 + Math.max(0, ...model.get("regions").map((r) => r.row));
    bottom = 0;
    for (const [name, height] of Object.entries(LANES)) {
      const high = name === "regions" ? height * rows : height;
      lanes[name] = [bottom, bottom + high];
      bottom += high + GAP;
    }
    canvas.style.height = `${bottom}px`;
  };
  layout();

  // between time and level, and pixels
  const inner = () => width - LEFT - RIGHT;
  const x = (t) => LEFT + (t - view[0]) / (view[1] - view[0]) * inner();
  const time = (px) => Math.min(model.get("seconds"), Math.max(0, view[0] + (px - LEFT) / inner() * (view[1] - view[0])));
  const share = (r) => decibel ? Math.max(0, 1 - 20 * Math.log10(Math.max(r, 1e-6)) / QUIET) : r / top;
  const y = (r) => { const [a, b] = lanes.curve; return b - Math.min(1, share(r)) * (b - a); };
  const level = (py) => {
    const [a, b] = lanes.curve, s = Math.min(1, Math.max(0, (b - py) / (b - a)));
    return decibel ? (s < 0.02 ? 0 : 10 ** ((1 - s) * QUIET / 20)) : s * top;
  };

  function line(values, colour, thick, dashes, from = 0, to = values.length, shift = 0, gain = 1) {
    const rate = model.get("rate"), step = Math.max(1, Math.floor((view[1] - view[0]) * rate / inner() / 2));
    const first = Math.max(from, Math.floor((view[0] - shift) * rate) - 1), last = Math.min(to, Math.ceil((view[1] - shift) * rate) + 1);
    Object.assign(pen, { strokeStyle: colour, lineWidth: thick });
    pen.setLineDash(dashes);
    pen.beginPath();
    for (let i = first; i < last; i += step) {
      let value = values[i]; // largest value of the step, so that a short peak stays visible
      for (let k = i + 1; k < Math.min(i + step, last); k++) value = Math.max(value, values[k]);
      pen.lineTo(x(i / rate + shift), y(value * gain));
    }
    pen.stroke();
    pen.setLineDash([]);
  }

  function text(words, px, py, colour = "#333", align = "left") {
    Object.assign(pen, { fillStyle: colour, textAlign: align, textBaseline: "middle" });
    pen.fillText(words, px, py);
  }

  function picture(name, [a, b]) { // the visible part of an image that spans the whole film
    const image = images[name], whole = model.get("seconds");
    Object.assign(pen, { fillStyle: "#eee" });
    pen.fillRect(LEFT, a, inner(), b - a);
    if (image) pen.drawImage(image, view[0] / whole * image.width, 0, (view[1] - view[0]) / whole * image.width, image.height, LEFT, a, inner(), b - a);
  }

  function nodes() { // points of the curve by Douglas and Peucker: lines between them stay within 3 pixels of it
    const values = curves.wanted, rate = model.get("rate"), keep = [];
    const walk = (i, j) => {
      let far = 3, at = -1;
      for (let k = i + 1; k < j; k++) {
        const off = Math.abs(y(values[k]) - y(values[i]) - (y(values[j]) - y(values[i])) * (k - i) / (j - i));
        if (off > far) [far, at] = [off, k];
      }
      if (at < 0) return keep.push(i);
      walk(i, at);
      walk(at, j);
    };
    const last = values.length - 1;
    if (last > 0) walk(0, last);
    return [...keep, last].map((i) => [i / rate, values[i]]);
  }

  function draw() {
    if (!width) return;
    const scale = window.devicePixelRatio || 1;
    Object.assign(canvas, { width: width * scale, height: bottom * scale });
    pen.scale(scale, scale);
    pen.font = "12px sans-serif";
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, width, bottom);
    picture("strip", lanes.film);
    picture("spectrogram", lanes.sound);
    if (!images.spectrogram) text("the sound's spectrogram appears after a render", LEFT + 8, (lanes.sound[0] + lanes.sound[1]) / 2, "#666");
    for (const [name, words] of [["film", "film"], ["regions", "regions"], ["sound", "0–8 kHz"]])
      text(words, LEFT - 6, (lanes[name][0] + lanes[name][1]) / 2, "#333", "right");
    const [a, b] = lanes.curve;
    const steps = decibel ? 6 : Math.floor(top / unitOf[top] + 1e-9);
    for (let i = 0; i <= steps; i++) { // grid lines and labels of the levels, at round numbers
      const r = decibel ? 10 ** (QUIET * (1 - i / steps) / 20) : unitOf[top] * i;
      pen.fillStyle = "#ddd";
      pen.fillRect(LEFT, y(r), inner(), 1);
      const word = decibel ? `${Math.round(QUIET * (1 - i / steps))} dB` : `${+r.toFixed(2)}`;
      text(word, LEFT - 6, Math.min(b - 6, Math.max(a + 6, y(r))), "#333", "right");
    }
    const span = view[1] - view[0], unit = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600].find((u) => span / u <= Math.max(4, inner() / 80)) || 1200;
    for (let k = Math.ceil(view[0] / unit); k * unit <= view[1] + 1e-9; k++) {
      pen.fillStyle = "#ddd";
      pen.fillRect(x(k * unit), a, 1, b - a);
      text(`${+(k * unit).toFixed(2)}`, x(k * unit), lanes.axis[0] + 7, "#333", "center");
    }
    text("s", LEFT - 6, lanes.axis[0] + 7, "#333", "right");
    pen.save();
    pen.beginPath();
    pen.rect(LEFT, 0, inner(), bottom);
    pen.clip();
    const box = (t0, t1, [up, down], colour, alpha) => {
      Object.assign(pen, { fillStyle: colour, globalAlpha: alpha });
      pen.fillRect(x(t0), up, Math.max(1, x(t1) - x(t0)), down - up);
      pen.globalAlpha = 1;
    };
    model.get("regions").forEach(({ start, end, label, row }, index) => {
      const up = lanes.regions[0] + row * LANES.regions;
      box(start, end, [up, up + LANES.regions - 1], index === model.get("region") ? GREEN : SKY, 0.6);
      box(start, start, [up, b], BLUE, 0.6);
      box(end, end, [up, b], BLUE, 0.6);
      pen.save();
      pen.beginPath();
      pen.rect(x(start), up, x(end) - x(start), LANES.regions);
      pen.clip();
      text(label, Math.max(LEFT, x(start)) + 4, up + 9.5, BLACK);
      pen.restore();
    });
    const marked = model.get("span");
    if (marked.length) box(marked[0], marked[1], lanes.regions, PINK, 0.5);
    const events = model.get("events"), chosen = events[model.get("selected")];
    if (tool === "Select") for (const [t0, t1] of events) box(t0, t1, [b - 4, b], BLACK, 0.5);
    if (chosen) box(chosen[0], chosen[1], [a, b], PINK, 0.25);
    for (const [name, , colour, thick, dashes] of LINES)
      if (curves[name].length && (name !== "stairs" || stairs)) line(curves[name], colour, thick, dashes);
    if (tool === "Points") for (const [t, r] of nodes()) { pen.fillStyle = RED; pen.fillRect(x(t) - 3, y(r) - 3, 7, 7); }
    if (drag?.preview) drag.preview(box);
    box(video.currentTime, video.currentTime, [0, lanes.sound[1]], BLACK, 1);
    pen.fillStyle = BLACK;
    pen.beginPath();
    for (const dx of [0, -6, 6]) pen.lineTo(x(video.currentTime) + dx, lanes.axis[0] - (dx ? 5 : -3) - 2);
    pen.fill();
    pen.restore();
    let right = width - RIGHT - 6;
    for (const [name, words, colour, thick, dashes] of LINES) { // legend, from right to left
      if (!curves[name].length || (name === "stairs" && !stairs)) continue;
      const long = pen.measureText(words).width;
      pen.fillStyle = "rgba(255,255,255,0.85)";
      pen.fillRect(right - long - 32, a + 2, long + 36, 16);
      text(words, right, a + 10, "#222", "right");
      Object.assign(pen, { strokeStyle: colour, lineWidth: thick + 0.5 });
      pen.setLineDash(dashes);
      pen.beginPath();
      pen.moveTo(right - long - 28, a + 10);
      pen.lineTo(right - long - 6, a + 10);
      pen.stroke();
      pen.setLineDash([]);
      right -= long + 44;
    }
    clock.textContent = `${video.currentTime.toFixed(2)} / ${model.get("seconds").toFixed(2)} s`;
  }

  // tools: each function starts a drag at (t, level, px, py) and returns its {move, preview, done}
  const between = (low, value, high) => Math.min(high, Math.max(low, value));
  const tools = {
    Draw(t, r, px) {
      const column = new Map([[Math.round(px), r]]);
      let last = [px, r];
      const points = () => [...column].sort((p, q) => p[0] - q[0]).map(([p, v]) => [time(p), v]);
      return {
        move(_, r1, px1) { // fill every pixel column since the last pointer event; a later value replaces an earlier one
          const n = Math.max(1, Math.abs(Math.round(px1 - last[0])));
          for (let k = 1; k <= n; k++) column.set(Math.round(last[0] + (px1 - last[0]) * k / n), last[1] + (r1 - last[1]) * k / n);
          last = [px1, r1];
        },
        preview: () => path(points()),
        done: () => column.size > 1 && send({ do: "draw", times: points().map((p) => p[0]), levels: points().map((p) => p[1]) }),
      };
    },
    Points(t, r, px, py) {
      const all = nodes(), near = all.findIndex(([s, v]) => Math.hypot(x(s) - px, y(v) - py) < 9);
      const after = all.findIndex(([s]) => s > t);
      const [p, q] = near >= 0 ? [all[near - 1] || all[near], all[near + 1] || all[near]] : [all[Math.max(0, after - 1)], all[after < 0 ? all.length - 1 : after]];
      let at = [t, r], moved = false;
      return {
        move(t1, r1) { at = [between(p[0], t1, q[0]), r1]; moved = true; },
        preview: () => path([p, at, q]),
        done: () => moved && send({ do: "draw", times: [p[0], at[0], q[0]], levels: [p[1], at[1], q[1]] }),
      };
    },
    Select(t, r, px, py) {
      const index = model.get("events").findIndex(([t0, t1]) => t0 <= t && t <= t1);
      model.set("selected", index);
      model.save_changes();
      if (index < 0) return { move() {}, done() {} };
      const [t0, t1] = model.get("events")[index], rate = model.get("rate");
      let shift = 0, gain = 1, axis = "";
      return {
        move(t1, r1, px1, py1) {
          if (!axis && Math.hypot(px1 - px, py1 - py) > 4) axis = Math.abs(px1 - px) > Math.abs(py1 - py) ? "move" : "scale";
          if (axis === "move") shift = t1 - t;
          if (axis === "scale") gain = Math.max(level(py1), 1e-4) / Math.max(r, 1e-4);
        },
        preview: () => axis && line(curves.wanted, BLACK, 2, [3, 3], Math.round(t0 * rate), Math.round(t1 * rate), shift, gain),
        done() {
          if (axis === "move") send({ do: "move", event: index, seconds: shift });
          if (axis === "scale") send({ do: "scale", event: index, factor: gain });
        },
      };
    },
    Stamp(t, r) {
      let end = t, height = r;
      return {
        move(t1, r1) { [end, height] = [t1, r1]; },
        preview: (box) => box(Math.min(t, end), Math.max(t, end), [y(height), lanes.curve[1]], RED, 0.3),
        done() {
          const drawn = Math.abs(end - t) > 0.02; // seconds; a shorter drag is a click
          send({ do: "stamp", name: model.get("shape"), onset: drawn ? Math.min(t, end) : t, length: drawn ? Math.abs(end - t) : model.get("length"), level: height, peak: model.get("peak") });
        },
      };
    },
  };
  const path = (points) => {
    Object.assign(pen, { strokeStyle: BLACK, lineWidth: 2 });
    pen.beginPath();
    for (const [t, r] of points) pen.lineTo(x(t), y(r));
    pen.stroke();
  };
  const mark = (t, py) => { // a drag marks a stretch, a click chooses a region
    let end = t;
    const put = () => model.set("span", Math.abs(end - t) > 0.02 ? [Math.min(t, end), Math.max(t, end)] : []);
    const row = Math.floor((py - lanes.regions[0]) / LANES.regions);
    const under = model.get("regions").findIndex((r) => r.row === row && r.start <= t && t <= r.end);
    return {
      move(t1) { end = t1; put(); },
      done() {
        put();
        if (under >= 0 && !model.get("span").length) model.set("region", under);
        model.save_changes();
      },
    };
  };
  const seek = (t) => { video.currentTime = t; draw(); return { move: seek, done() {} }; };
  const follow = () => { // where the view is zoomed in and the playhead leaves it, it goes along
    const span = view[1] - view[0], at = video.currentTime;
    if (at >= view[0] && at <= view[1]) return;
    const from = between(0, at - span / 10, model.get("seconds") - span);
    view = [from, from + span];
  };

  canvas.addEventListener("pointerdown", (event) => {
    root.focus({ preventScroll: true });
    canvas.setPointerCapture(event.pointerId);
    const { offsetX: px, offsetY: py } = event, inside = ([a, b]) => py >= a && py <= b + 2;
    drag = inside(lanes.curve) ? tools[tool](time(px), level(py), px, py) : inside(lanes.regions) ? mark(time(px), py) : seek(time(px));
    draw();
  });
  canvas.addEventListener("pointermove", (event) => {
    const { offsetX: px, offsetY: py } = event;
    if (drag) { drag.move(time(px), level(py), px, py); draw(); }
  });
  const drop = () => { const held = drag; drag = null; held?.done(); draw(); };
  canvas.addEventListener("pointerup", drop);
  canvas.addEventListener("pointercancel", () => { drag = null; draw(); });
  const zoom = (factor, centre = video.currentTime) => {
    const whole = model.get("seconds"), span = between(Math.min(0.2, whole), (view[1] - view[0]) * factor, whole);
    const from = between(0, centre - (centre - view[0]) / (view[1] - view[0]) * span, whole - span);
    view = [from, from + span];
    draw();
  };
  canvas.addEventListener("wheel", (event) => { // Ctrl zooms, Shift pans; otherwise the page scrolls
    if (!event.ctrlKey && !event.shiftKey) return;
    event.preventDefault();
    const turn = event.deltaY || event.deltaX;
    if (event.ctrlKey) return zoom(turn > 0 ? 1.25 : 0.8, time(event.offsetX));
    const span = view[1] - view[0], from = between(0, view[0] + Math.sign(turn) * span / 8, model.get("seconds") - span);
    view = [from, from + span];
    draw();
  }, { passive: false });

  // buttons and keys; each that edits calls one method of Studio
  const row = (parent = side) => make("div", parent, { className: "vf-row" });
  const button = (parent, label, title, act) => make("button", parent, { textContent: label, title, onclick: (e) => { act(e.target); root.focus({ preventScroll: true }); draw(); } });
  const play = () => video.paused ? video.play().catch(() => {}) : video.pause();
  const player = row();
  const playing = button(player, "▶ Play", "space", play);
  const clock = make("span", player, { className: "vf-clock" });
  button(player, "−", "zoom out (Ctrl and wheel)", () => zoom(1.6));
  button(player, "+", "zoom in around the playhead (Ctrl and wheel); Shift and wheel pans", () => zoom(0.625));
  button(player, "Whole film", "zoom out to the whole film", () => zoom(1e9));
  const choice = row(), edits = row(), shows = make("span", player, { className: "vf-row" });
  for (const name of Object.keys(tools)) button(choice, name, HINTS[name], () => { tool = name; pressed(); });
  for (const [way, makes] of [["hum", "its loudness becomes the curve"], ["clap", "each clap becomes a hit"]])
    button(choice, way === "hum" ? "Hum" : "Clap", `record the microphone while the film plays: ${makes}`, () => listen(way)).dataset.how = way;
  side.appendChild(hint);
  const selected = (act) => model.get("selected") >= 0 && act(model.get("selected"));
  const remove = () => selected((event) => send({ do: "delete", event }));
  button(edits, "Undo", "Ctrl-Z", () => send({ do: "undo" }));
  button(edits, "Redo", "Ctrl-Y", () => send({ do: "redo" }));
  button(edits, "Smooth", "take the roughness out of the wanted curve", () => send({ do: "smooth" }));
  button(edits, "Delete event", "Delete", remove);
  button(edits, "Clear", "silence everywhere", () => send({ do: "clear" }));
  button(edits, "Back to predicted", "back to the curve predicted from the film", () => send({ do: "reset" }));
  const scale = button(shows, "dB", "decibels or linear RMS", () => { decibel = !decibel; pressed(); });
  const bins = button(shows, "Bins", "what the classes of Video2RMS make of the wanted curve", () => { stairs = !stairs; pressed(); });
  const pressed = () => {
    for (const item of choice.children) item.setAttribute("aria-pressed", recorder ? item.dataset.how === how : item.textContent === tool);
    scale.setAttribute("aria-pressed", decibel);
    bins.setAttribute("aria-pressed", stairs);
    hint.textContent = HINTS[tool];
  };
  root.addEventListener("keydown", (event) => {
    const key = event.key.toLowerCase(), command = event.ctrlKey || event.metaKey;
    const nudge = { arrowleft: ["move", "seconds", -0.01], arrowright: ["move", "seconds", 0.01], arrowup: ["scale", "factor", 1.122], arrowdown: ["scale", "factor", 0.891] }[key];
    if (command && key === "z") send({ do: event.shiftKey ? "redo" : "undo" });
    else if (command && key === "y") send({ do: "redo" });
    else if (key === " " && event.target.tagName !== "BUTTON") play();
    else if (key === "s" && !command) send({ do: "stamp", name: model.get("shape"), onset: video.currentTime, length: model.get("length"), level: model.get("level"), peak: model.get("peak") });
    else if (key === "delete" || key === "backspace") remove();
    else if (nudge && model.get("selected") >= 0) send({ do: nudge[0], event: model.get("selected"), [nudge[1]]: nudge[2] });
    else if (nudge?.[0] === "move") {
      video.currentTime = between(0, video.currentTime + 10 * nudge[2], model.get("seconds"));
      follow();
      draw();
    }
    else return;
    event.preventDefault();
    event.stopPropagation();
  });

  // a voice or hands as the curve: the microphone records from the playhead on, while the film plays without its sound
  const listen = async (way) => {
    if (recorder) return recorder.stop();
    const plain = { echoCancellation: false, noiseSuppression: false, autoGainControl: false }; // levels as they are
    const stream = await navigator.mediaDevices?.getUserMedia({ audio: plain }).catch(() => null);
    if (!stream) { hint.textContent = "No microphone: allow it in the browser, or drop a recording on the field at the top."; return; }
    const start = video.currentTime < model.get("seconds") - 0.1 ? video.currentTime : 0, parts = [];
    how = way;
    recorder = new MediaRecorder(stream);
    recorder.ondataavailable = (event) => parts.push(event.data);
    recorder.onstop = async () => {
      stream.getTracks().forEach((track) => track.stop());
      recorder = null;
      video.pause();
      video.muted = false;
      pressed();
      await deliver(model, new Blob(parts), `${way}.webm`).then(() => send({ do: "listen", how: way, start }), (error) => { hint.textContent = error.message; });
    };
    video.currentTime = start;
    video.muted = true;
    recorder.start();
    video.play().catch(() => {});
    const mine = recorder;
    setTimeout(() => mine.state === "recording" && mine.stop(), 1000 * (model.get("seconds") - start)); // the curve's end
    pressed();
    hint.textContent = way === "hum" ? "Recording: hum along with the film. A press on Hum ends it." : "Recording: clap at each event. A press on Clap ends it.";
  };

  // the player
  video.onclick = play;
  const tick = () => {
    if (!video.paused && !drag) follow();
    draw();
    if (!video.paused) requestAnimationFrame(tick);
  };
  video.onplay = () => { playing.textContent = "❚❚ Pause"; tick(); };
  video.onpause = () => { playing.textContent = "▶ Play"; draw(); };
  video.onseeked = draw;
  video.onloadeddata = () => { if (!video.currentTime) video.currentTime = 0.001; }; // otherwise no picture shows before the film plays
  video.onerror = () => address && send({ do: "player_failed" });
  video.onloadedmetadata = () => model.get("media_type").startsWith("video") && !video.videoWidth && video.onerror(); // the browser plays the sound but not the picture
  let rewind = false;
  const load = async () => {
    const key = model.get("media"), type = model.get("media_type");
    const film = key ? await receive(model, key, type).catch(() => null) : null;
    if (key !== model.get("media")) return; // another one is on its way
    const at = rewind ? 0 : video.currentTime;
    rewind = false;
    if (address) URL.revokeObjectURL(address);
    address = film ? URL.createObjectURL(film) : null;
    if (address) video.src = address;
    else video.removeAttribute("src");
    if (at) video.currentTime = at;
    video.style.display = address && type.startsWith("video") ? "" : "none";
    draw();
  };
  const fetchImage = async (name) => {
    const data = model.get(name);
    images[name] = data.byteLength ? await createImageBitmap(new Blob([data])) : null;
    draw();
  };
  const refresh = () => {
    for (const [name] of LINES) curves[name] = floats(name);
    const peak = Math.max(...["wanted", "predicted", "achieved"].map((n) => curves[n].reduce((m, v) => Math.max(m, v), 0)));
    top = Object.keys(unitOf).map(Number).sort((p, q) => p - q).find((t) => t >= 1.3 * peak) || 1;
    draw();
  };
  for (const [name] of LINES) model.on(`change:${name}`, refresh);
  for (const name of ["events", "selected", "region", "span"]) model.on(`change:${name}`, draw);
  model.on("change:regions", () => { layout(); draw(); });
  for (const name of ["strip", "spectrogram"]) model.on(`change:${name}`, () => fetchImage(name));
  model.on("change:media", load);
  model.on("change:strip", () => { rewind = true; seek(0); }); // another film: back to its start
  model.on("change:seconds", () => { view = [0, model.get("seconds")]; draw(); });
  const observer = new ResizeObserver(() => { width = Math.max(320, root.clientWidth); draw(); });
  pressed();
  refresh();
  load();
  fetchImage("strip");
  fetchImage("spectrogram");
  observer.observe(root);
  return () => { observer.disconnect(); recorder?.stop(); video.pause(); if (address) URL.revokeObjectURL(address); };
}

export default { render };
