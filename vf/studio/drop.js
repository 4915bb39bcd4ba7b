// A place to drop files on. What is dropped goes to the desk in pieces (pieces.js), one file after another.
function render({ model, el }) {
  const make = (tag, parent, props = {}) => parent.appendChild(Object.assign(document.createElement(tag), props));
  const root = make("label", el, { className: "vf-drop" });
  const line = make("span", root, { className: "vf-drop-words" });
  const input = make("input", root, { type: "file", multiple: true, ariaLabel: "files for the desk" });
  const bar = make("progress", root, { max: 1, value: 0 });
  const show = () => {
    line.textContent = model.get("notice");
    root.classList.toggle("vf-drop-large", model.get("large"));
  };
  const busy = (share) => { bar.style.display = share === null ? "none" : ""; bar.value = share ?? 0; };
  let queue = Promise.resolve();
  const take = (list) => {
    const last = (file) => file.name.endsWith(".json"); // a session, after the film that it is of
    for (const file of [...list].sort((a, b) => last(a) - last(b))) queue = queue.then(async () => {
      line.textContent = `${file.name} …`;
      busy(0);
      try {
        await deliver(model, file, file.name, busy);
        show();
      } catch (error) {
        line.textContent = `${file.name} did not arrive (${error.message}). Drop it again.`;
      }
      busy(null);
    });
  };
  input.onchange = () => { take(input.files); input.value = ""; };
  const target = model.get("anywhere") ? window : root; // beside the desk alone a page must not open what misses the field
  const over = (event) => {
    if (![...event.dataTransfer.types].includes("Files")) return;
    event.preventDefault();
    root.classList.toggle("vf-drop-over", event.type === "dragover");
  };
  const drop = (event) => { over(event); take(event.dataTransfer.files); };
  for (const name of ["dragover", "dragleave"]) target.addEventListener(name, over);
  target.addEventListener("drop", drop);
  model.on("change:notice", show);
  model.on("change:large", show);
  show();
  busy(null);
  return () => {
    for (const name of ["dragover", "dragleave"]) target.removeEventListener(name, over);
    target.removeEventListener("drop", drop);
  };
}

export default { render };
