// The people who are known by voice: the list, and what can be done with them.

import { enrol } from "./enrolment.js";
import { attempt } from "./faults.js";
import { colourOf } from "./palette.js";
import { question } from "./question.js";
import { people as gallery } from "./speaker.js";
import { duration } from "./words.js";

const list = document.getElementById("people");
const none = document.getElementById("no-people");

/** Everybody, as they were shown last. */
export let people = [];

/** Show everybody as they are now. */
export async function refreshPeople() {
  people = await gallery.list();
  none.hidden = people.length > 0;
  list.replaceChildren(...people.map(itemOf));
}

document.getElementById("add-person").addEventListener("click", () =>
  attempt(async () => {
    await enrol();
    await refreshPeople();
  }),
);

function itemOf(person) {
  const item = document.createElement("li");
  item.dataset.progress = person.progress;
  item.style.setProperty("--voice", colourOf(person.id));
  const avatar = Object.assign(document.createElement("span"), {
    className: "avatar",
    textContent: [...person.name][0].toUpperCase(),
    ariaHidden: "true",
  });
  const text = document.createElement("div");
  text.className = "who";
  text.append(
    Object.assign(document.createElement("strong"), { textContent: person.name }),
    Object.assign(document.createElement("span"), {
      className: "hint",
      textContent:
        person.progress >= 1
          ? `Known, from ${duration(person.speechS)} of speech`
          : `${person.neededS.toFixed(1)} s more of speech needed`,
    }),
  );
  if (person.progress < 1) {
    const progress = Object.assign(document.createElement("progress"), { value: person.progress });
    progress.setAttribute("aria-label", `What is known of ${person.name}`);
    text.append(progress);
  }
  const acts = Object.assign(document.createElement("div"), { className: "acts" });
  acts.append(
    button("More", `More speech of ${person.name}`, () => enrol(person)),
    button("Rename", `Rename ${person.name}`, () => rename(person)),
    button("Forget", `Forget ${person.name}`, () => forget(person)),
  );
  item.append(avatar, text, acts);
  return item;
}

function button(word, description, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "quiet";
  made.textContent = word;
  made.setAttribute("aria-label", description);
  made.addEventListener("click", () =>
    attempt(async () => {
      await act();
      await refreshPeople();
    }),
  );
  return made;
}

async function rename({ id, name }) {
  const answer = await question({ title: `Rename ${name}`, answer: name, confirm: "Rename" });
  if (answer) await gallery.rename(id, answer);
}

async function forget({ id, name }) {
  const text = "What is known of this voice is deleted, and nothing of it remains.";
  const isMeant = await question({ title: `Forget ${name}?`, text, confirm: "Forget" });
  if (isMeant) await gallery.forget(id);
}
