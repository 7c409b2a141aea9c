// The dialog in which somebody becomes known by voice: from the microphone, or from files.

import { fileZone } from "./file_zone.js";
import { showLevel } from "./level.js";
import { ofFile, openMicrophone, people, speech, workletUrl } from "./speaker.js";
import { Tape } from "./tape.js";
import { advice, fault, need } from "./words.js";

const element = (id) => document.getElementById(id);
const dialog = element("enrolment");

// A print takes 3 s of speech; of a little more it is a better one.
const PRINT_S = 3;
const ENOUGH_S = 5;
const LOOK_AFTER_MS = 700;

let person = null;
let microphone = null;
let tape = null;
let heardS = 0;

/** Enrol a new person, or more of `known`; resolves when the dialog is done with. */
export function enrol(known = null) {
  person = known && { ...known, isNew: false };
  element("enrolment-title").textContent = known ? `More of ${known.name}` : "Add a person";
  element("name").value = known?.name ?? "";
  element("name-field").hidden = known !== null;
  element("name").disabled = false;
  showAdvice([]);
  if (known) sayNeed(known.progress, need(known));
  else sayNeed(0, "Say a few sentences, or drop a recording.");
  dialog.showModal();
  return new Promise((resolve, reject) => {
    const done = () => finish().then(resolve, reject);
    dialog.addEventListener("close", done, { once: true });
  });
}

async function finish() {
  await closeMicrophone();
  // Of somebody of whom nothing could be kept there is nothing but a name.
  if (person?.isNew && person.progress === 0) await people.forget(person.id);
}

element("enrolment-done").addEventListener("click", () => dialog.close());
element("record").addEventListener("click", () => trying(microphone ? stopRecording : record));
fileZone(dialog.querySelector(".drop"), (files) =>
  trying(async () => {
    for (const file of files) await ofFile(file, keep);
  }),
);

/** Run `task`; what it throws is shown in the dialog. */
async function trying(task) {
  try {
    await task();
  } catch (error) {
    await closeMicrophone();
    showAdvice([fault(error)]);
  }
}

async function record() {
  if (!hasName()) return;
  showAdvice([]);
  heardS = 0;
  element("record").disabled = true;
  tape = new Tape();
  const opened = await openMicrophone(
    { deviceId: element("microphone").value || undefined, workletUrl },
    {
      onSamples(samples, level) {
        tape.add(samples);
        showLevel(element("record-level"), level);
      },
      onEnded: () => trying(stopRecording),
    },
  );
  element("record").disabled = false;
  microphone = opened;
  if (!dialog.open) return closeMicrophone();
  element("record").textContent = "Stop";
  element("record").classList.add("recording");
  while (microphone === opened) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_AFTER_MS));
    if (microphone === opened) await look(opened);
  }
}

/** How much of the recording is speech; it ends by itself once that is enough. */
async function look(opened) {
  if (tape.durationS === 0) return;
  heardS = (await speech(tape.audio)).speechS;
  if (microphone !== opened) return;
  const keptS = person?.speechS ?? 0;
  const share = Math.min(1, (keptS + heardS) / PRINT_S);
  sayNeed(share, `${heardS.toFixed(1)} s of speech heard. ${share < 1 ? "Go on." : "A bit more."}`);
  if (heardS >= ENOUGH_S) await stopRecording();
}

async function stopRecording() {
  await closeMicrophone();
  await keep(tape.audio);
}

async function closeMicrophone() {
  const open = microphone;
  microphone = null;
  element("record").disabled = false;
  element("record").textContent = "Record";
  element("record").classList.remove("recording");
  showLevel(element("record-level"));
  await open?.close();
}

function hasName() {
  const name = element("name");
  if (person !== null || name.value.trim() !== "") return true;
  showAdvice(["Who is it? Type a name first."]);
  name.focus();
  return false;
}

/** Enrol an audio. */
async function keep(audio) {
  if (!hasName()) return;
  const isNew = person?.isNew ?? true;
  const who = person ? { id: person.id } : { name: element("name").value.trim() };
  const result = await people.enroll({ ...who, audio });
  person = { ...result, isNew };
  element("name").disabled = true;
  sayNeed(result.progress, need(result));
  showAdvice(advice(result));
}

function sayNeed(share, text) {
  element("speech-share").value = share;
  element("speech-text").textContent = text;
}

function showAdvice(sentences) {
  const items = sentences.map((sentence) =>
    Object.assign(document.createElement("li"), { textContent: sentence }),
  );
  element("advice").replaceChildren(...items);
}
