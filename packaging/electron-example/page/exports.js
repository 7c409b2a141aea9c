// Who spoke when, as other programs read it. Of voices there are only names in it, no embeddings.

/** A title without the end of a file's name, and without what Windows allows in none. */
function stemOf(title) {
  return title.replace(/\.[a-z0-9]{1,5}$/i, "").replace(/[\\/:*?"<>|]/g, ".");
}

/** A `SPEAKER` line for each turn: NIST, "Rich Transcription 2009 evaluation plan", appendix A. */
function asRttm({ title, turns }) {
  const word = (text) => text.replace(/\s+/g, "_") || "_";
  const file = word(stemOf(title));
  return turns
    .map(
      ({ startS, endS, name }) =>
        `SPEAKER ${file} 1 ${startS.toFixed(3)} ${(endS - startS).toFixed(3)} ` +
        `<NA> <NA> ${word(name)} <NA> <NA>\n`,
    )
    .join("");
}

/** A cue for each turn, with the speaker as its voice: https://www.w3.org/TR/webvtt1. */
function asVtt({ turns }) {
  const escapes = { "&": "&amp;", "<": "&lt;", ">": "&gt;" };
  const text = (name) => name.replace(/[&<>]/g, (sign) => escapes[sign]);
  const cues = turns.map(
    ({ startS, endS, name }) =>
      `\n${vttClock(startS)} --> ${vttClock(endS)}\n<v ${text(name)}>${text(name)}</v>\n`,
  );
  return ["WEBVTT\n", ...cues].join("");
}

function vttClock(seconds) {
  const milliseconds = Math.round(1000 * seconds);
  const part = (unit, modulus, digits) =>
    String(Math.floor(milliseconds / unit) % modulus).padStart(digits, "0");
  const hours = String(Math.floor(milliseconds / 3_600_000)).padStart(2, "0");
  return `${hours}:${part(60_000, 60, 2)}:${part(1000, 60, 2)}.${part(1, 1000, 3)}`;
}

function asJson({ title, durationS, turns, speakers }) {
  const answer = {
    file: title,
    duration_s: durationS,
    turns: turns.map(({ startS, endS, name, overlap }) => ({
      start_s: startS,
      end_s: endS,
      speaker: name,
      overlap,
    })),
    speakers: speakers.map(({ label, name, isKnown, speechS }) => ({
      label,
      name,
      known: isKnown,
      speech_s: speechS,
    })),
  };
  return `${JSON.stringify(answer, null, 2)}\n`;
}

const FORMATS = {
  json: [asJson, "application/json"],
  rttm: [asRttm, "text/plain"],
  vtt: [asVtt, "text/vtt"],
};

/**
 * The conversation as a file: {name, type, text}.
 *
 * @param format - "json", "rttm" or "vtt".
 * @param conversation - {title, durationS, turns: [{startS, endS, name, overlap}], speakers}.
 */
export function exported(format, conversation) {
  const [write, type] = FORMATS[format];
  return { name: `${stemOf(conversation.title)}.${format}`, type, text: write(conversation) };
}
