// A recording that is dropped or chosen: who speaks when in it.

import { attempt } from "./faults.js";
import { fileZone } from "./file_zone.js";
import { forgetStrangers } from "./palette.js";
import { RecordingView } from "./recording_view.js";
import { ask, askOfFile, on } from "./service.js";
import { clock } from "./words.js";

const element = (id) => document.getElementById(id);
let view = null;

on("heard", ({ doneS, totalS }) => {
  element("heard").textContent =
    totalS === null ? `${clock(doneS)} heard` : `${clock(doneS)} of ${clock(totalS)} heard`;
  if (totalS === null) element("heard-share").removeAttribute("value");
  else element("heard-share").value = doneS / totalS;
});

element("cancel").addEventListener("click", () => ask("cancel"));

fileZone(element("drop"), ([file]) => attempt(() => hear(file)));

async function hear(file) {
  view?.close();
  view = null;
  forgetStrangers();
  element("heard").textContent = `Listening to ${file.name}`;
  element("heard-share").removeAttribute("value");
  isHearing(true);
  try {
    const result = await askOfFile(file, (audio) => ask("diarize", audio));
    view = new RecordingView(element("file-result"), { title: file.name, blob: file, result });
  } catch (error) {
    if (error.kind !== "cancelled") throw error;
  } finally {
    isHearing(false);
  }
}

function isHearing(yes) {
  element("hearing").hidden = !yes;
  element("drop").hidden = yes;
  element("drop").classList.toggle("small", view !== null);
}
