// A recording that is dropped or chosen: who speaks when in it.

import { attempt } from "./faults.js";
import { fileZone } from "./file_zone.js";
import { forgetStrangers } from "./palette.js";
import { RecordingView } from "./recording_view.js";
import { diarize, ofFile } from "./speaker.js";
import { clock } from "./words.js";

const element = (id) => document.getElementById(id);
let view = null;

let hearing = null;

element("cancel").addEventListener("click", () => hearing?.abort());

fileZone(element("drop"), ([file]) => attempt(() => hear(file)));

async function hear(file) {
  view?.close();
  view = null;
  forgetStrangers();
  element("heard").textContent = `Listening to ${file.name}`;
  element("heard-share").removeAttribute("value");
  isHearing(true);
  hearing = new AbortController();
  const { signal } = hearing;
  try {
    const how = { identify: true, signal, onProgress: showProgress };
    const result = await ofFile(file, (audio) => diarize(audio, how));
    view = new RecordingView(element("file-result"), { title: file.name, blob: file, result });
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    isHearing(false);
  }
}

function showProgress({ done, total }) {
  const heard = total === null ? clock(done) : `${clock(done)} of ${clock(total)}`;
  element("heard").textContent = `${heard} heard`;
  if (total === null) element("heard-share").removeAttribute("value");
  else element("heard-share").value = done / total;
}

function isHearing(yes) {
  element("hearing").hidden = !yes;
  element("drop").hidden = yes;
  element("drop").classList.toggle("small", view !== null);
}
