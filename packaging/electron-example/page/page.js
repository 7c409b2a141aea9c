// The page: it knows `window.speaker`, which preload.js gives, and nothing of Node.

import { decode, record } from "./audio.js";

const { speaker } = window;
const element = (id) => document.getElementById(id);

function showFault(error) {
  element("fault").textContent = error.message;
  element("fault").hidden = false;
}

/** Run `task`; what it throws is shown. */
async function attempt(task) {
  element("fault").hidden = true;
  try {
    await task();
  } catch (error) {
    showFault(error);
  }
}

/** Let `zone` take files, dropped or chosen, and recordings; `use(blob, name)` gets each. */
function takeAudio(zone, use) {
  const take = (files) =>
    attempt(async () => {
      for (const file of files) await use(file, file.name);
    });
  const input = zone.querySelector("input");
  input.addEventListener("change", () => {
    void take([...input.files]).then(() => (input.value = ""));
  });
  zone.addEventListener("dragover", (event) => {
    event.preventDefault();
    zone.classList.add("over");
  });
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    void take([...event.dataTransfer.files]);
  });
  const button = zone.querySelector("button");
  let recording = null;
  button.addEventListener("click", () =>
    attempt(async () => {
      if (recording === null) {
        recording = await record();
      } else {
        const { stop } = recording;
        recording = null;
        await use(await stop(), "a recording");
      }
    }).finally(() => {
      button.textContent = recording === null ? "Record" : "Stop";
      button.classList.toggle("recording", recording !== null);
    }),
  );
}

function showVoice(nUtterances) {
  element("forget").hidden = nUtterances === 0;
  element("voice").textContent =
    nUtterances === 0
      ? "No voice yet."
      : `The mean of ${nUtterances} utterance${nUtterances === 1 ? "" : "s"}.`;
}

async function enrol(blob, name) {
  const { samples, sampleRateHz, durationS } = await decode(blob);
  const { nUtterances } = await speaker.enrol(samples, sampleRateHz);
  const item = document.createElement("li");
  item.textContent = `${name}, ${durationS.toFixed(1)} s`;
  element("utterances").append(item);
  showVoice(nUtterances);
}

async function compare(blob, name) {
  const { samples, sampleRateHz } = await decode(blob);
  const { cosine } = await speaker.compare(samples, sampleRateHz);
  const share = Math.max(0, cosine);
  element("fill").style.width = `${100 * share}%`;
  element("similarity").setAttribute("aria-valuenow", share.toFixed(3));
  element("result").textContent = `${name}: ${cosine.toFixed(3)}`;
}

/** Names and values of what serves, as far as they are known. */
function deviceRows({ device, model, reason }) {
  if (device === null || model === null) return [["State", reason]];
  return [
    ["Serves", device.selected],
    ["Because", device.reason],
    ["Runtime", `${device.runtime}, ${device.precision}`],
    ["Processor", `${device.cpu.name} (${device.cpu.cores} cores)`],
    ["Model", `${model.id}, ${model.embeddingDim} dimensions`],
    ["Self-test", `cosine ${device.selfTest.cosine.toFixed(6)}`],
  ];
}

function showHealth(health) {
  element("state").textContent = health.state;
  element("state").dataset.state = health.state;
  const rows = deviceRows(health).flatMap(([name, value]) => {
    const [term, detail] = ["dt", "dd"].map((tag) => document.createElement(tag));
    term.textContent = name;
    detail.textContent = value;
    return [term, detail];
  });
  element("device").replaceChildren(...rows);
}

function showProgress({ phase, done, total, unit }) {
  element("state").textContent = `${phase}: ${done}${total === null ? "" : ` of ${total}`} ${unit}`;
}

// A file that misses its zone would otherwise replace the page.
for (const type of ["dragover", "drop"])
  document.addEventListener(type, (event) => event.preventDefault());
speaker.onHealth(showHealth);
speaker.onProgress(showProgress);
speaker.onRestart(({ reason }) => showFault(new Error(`The sidecar is started again: ${reason}`)));
takeAudio(element("enrol"), enrol);
takeAudio(element("compare"), compare);
element("forget").addEventListener("click", () =>
  attempt(async () => {
    showVoice((await speaker.forget()).nUtterances);
    element("utterances").replaceChildren();
  }),
);
await attempt(async () => showHealth(await speaker.health()));
