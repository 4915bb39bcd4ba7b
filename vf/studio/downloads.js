// Links to the files that the desk has written. A file is fetched in pieces (pieces.js) and kept by the browser.
function render({ model, el }) {
  const make = (tag, parent, props = {}) => parent.appendChild(Object.assign(document.createElement(tag), props));
  const root = make("div", el, { className: "vf-downloads" });
  const size = (bytes) => bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
  const save = async (key) => {
    const entry = model.get("offered").find((e) => e.key === key);
    const link = [...root.children].find((a) => a.dataset.key === key);
    if (!entry || !link) return;
    const words = link.textContent;
    try {
      const blob = await receive(model, key, "application/octet-stream", (share) => { link.textContent = `${entry.name} ${Math.round(100 * share)} %`; });
      const address = URL.createObjectURL(blob);
      Object.assign(document.createElement("a"), { href: address, download: entry.name }).click();
      setTimeout(() => URL.revokeObjectURL(address), 60000);
      link.textContent = words;
    } catch (error) {
      link.textContent = `${entry.name}: ${error.message}`;
    }
  };
  const show = () => {
    root.replaceChildren();
    if (model.get("offered").length) make("span", root, { textContent: "Written:" });
    for (const { key, name, bytes } of model.get("offered")) {
      const link = make("button", root, { textContent: `↓ ${name}, ${size(bytes)}`, title: "download", onclick: () => save(key) });
      link.dataset.key = key;
    }
  };
  model.on("change:offered", show);
  model.on("msg:custom", (message) => message.save && save(message.save));
  show();
}

export default { render };
