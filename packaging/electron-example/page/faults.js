// What went wrong, where one sees it, until one dismisses it or goes on.

import { fault } from "./words.js";

const banner = document.getElementById("fault");
const text = document.getElementById("fault-text");

document.getElementById("dismiss").addEventListener("click", () => (banner.hidden = true));

export function showFault(error) {
  text.textContent = fault(error);
  banner.hidden = false;
}

/** Run `task`; what it throws is shown. */
export async function attempt(task) {
  banner.hidden = true;
  try {
    await task();
  } catch (error) {
    showFault(error);
  }
}
