// How loud the microphone is.

/** Decibels below full scale that the meter shows as nothing. */
const FLOOR_DB = -60;

/** Show a level of the microphone in an element of the class `level`; absent: it is closed. */
export function showLevel(meter, level) {
  const share = 1 - Math.max(FLOOR_DB, level?.rmsDbfs ?? FLOOR_DB) / FLOOR_DB;
  const percent = Math.round(100 * share);
  meter.setAttribute("aria-valuenow", percent);
  meter.firstElementChild.style.width = `${percent}%`;
}
