// The browser's half of carrier.py: a file is fetched or sent piece by piece, each asked for when the last has come.
const PIECE = 1 << 20;

function receive(model, key, type, progress = () => {}) { // a file of the desk as a Blob
  return new Promise((resolve, reject) => {
    const parts = [];
    let have = 0;
    const ask = () => model.send({ do: "get", key, start: have });
    const take = (message, buffers) => {
      if (message.key !== key || (message.start !== have && !message.error)) return;
      if (message.error) { model.off("msg:custom", take); return reject(new Error(message.error)); }
      parts.push(buffers[0]);
      have += buffers[0].byteLength;
      progress(message.size ? have / message.size : 1);
      if (have < message.size && buffers[0].byteLength) return ask();
      model.off("msg:custom", take);
      resolve(new Blob(parts, { type }));
    };
    model.on("msg:custom", take);
    ask();
  });
}

function deliver(model, file, name, progress = () => {}) { // a file to the desk
  return new Promise((resolve, reject) => {
    const key = `${Date.now()} ${Math.random()}`;
    const give = async (start) => {
      const piece = await file.slice(start, start + PIECE).arrayBuffer();
      model.send({ do: "put", key, name, size: file.size, start }, undefined, [piece]);
    };
    const take = (message) => {
      if (message.key !== key) return;
      if (!message.error) progress(file.size ? message.have / file.size : 1);
      if (!message.error && message.have < file.size) return give(message.have).catch(fail);
      model.off("msg:custom", take);
      message.error ? reject(new Error(message.error)) : resolve();
    };
    const fail = (error) => { model.off("msg:custom", take); reject(error); };
    model.on("msg:custom", take);
    give(0).catch(fail);
  });
}
