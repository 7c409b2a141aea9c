// The page: the voice service's state, and the parts of the window.

import { attempt } from "./faults.js";
import "./file_view.js";
import { listDevices } from "./live_view.js";
import { refreshPeople } from "./people.js";
import { service } from "./speaker.js";
import "./tabs.js";
import { serviceReport } from "./words.js";

const element = (id) => document.getElementById(id);
let served = false;

function showService(report) {
  const { state, sentence, detail } = serviceReport(report);
  element("service").dataset.state = state;
  element("service").textContent = state === "failed" ? "Out of order" : sentence;
  element("service").title = detail ?? "";
  element("out-of-order").hidden = state !== "failed";
  element("fault-sentence").textContent = sentence;
  element("fault-detail").textContent = detail ?? "";
  for (const control of document.querySelectorAll("[data-needs-service]")) {
    control.disabled = state !== "ready";
  }
  element("stage-hint").hidden = element("listen").disabled;
  if (state === "ready" && !served) void attempt(refreshPeople);
  served = state === "ready";
}

// A file that misses its place would otherwise replace the page.
for (const type of ["dragover", "drop"]) {
  document.addEventListener(type, (event) => event.preventDefault());
}
element("retry").addEventListener("click", () => attempt(service.restart));
await attempt(() => service.follow(showService));
await attempt(listDevices);
