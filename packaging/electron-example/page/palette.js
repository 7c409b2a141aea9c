// A colour for each voice, the same one wherever it is shown; page.css has them as --voice-0 to -5.

const N_COLOURS = 6;
const colours = new Map();
// By their labels, in the order in which they were shown first.
const strangers = [];

/** The colour of a voice, by its key: a person's id, or what a stranger is called. */
export function colourOf(key) {
  if (!colours.has(key)) {
    const uses = Array(N_COLOURS).fill(0);
    for (const colour of colours.values()) uses[colour] += 1;
    colours.set(key, uses.indexOf(Math.min(...uses)));
  }
  return `var(--voice-${colours.get(key)})`;
}

/** A stranger who gets a name keeps the colour. */
export function keepColour(oldKey, newKey) {
  if (colours.has(oldKey) && !colours.has(newKey)) colours.set(newKey, colours.get(oldKey));
}

/** Strangers of another recording are others. */
export function forgetStrangers() {
  for (const key of colours.keys()) if (isStranger(key)) colours.delete(key);
  strangers.length = 0;
}

/** Who speaks, as it is shown: {key, label, name, isKnown}, of a label and the person, if any. */
export function voiceOf(label, person) {
  if (person) return { key: person.id, label, name: person.name, isKnown: true };
  if (!strangers.includes(label)) strangers.push(label);
  const name = `Unknown voice ${strangers.indexOf(label) + 1}`;
  return { key: `stranger ${label}`, label, name, isKnown: false };
}

function isStranger(key) {
  return key.startsWith("stranger ");
}
