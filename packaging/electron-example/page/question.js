// A question in a dialog, with a name for an answer, or a plain yes.

const element = (id) => document.getElementById(id);
const dialog = element("question");

element("question-cancel").addEventListener("click", () => dialog.close(""));

/**
 * Ask it.
 *
 * @param answer - what stands in the field for a name; absent: there is no such field.
 * @param names - what the field suggests.
 * @param extra - {label, act}: one more button, which does not end the dialog.
 * @returns the name, or true; null: it was cancelled.
 */
export function question({ title, text = "", confirm, answer, names = [], extra }) {
  element("question-title").textContent = title;
  element("question-text").textContent = text;
  element("question-confirm").textContent = confirm;
  element("answer-field").hidden = answer === undefined;
  element("answer").required = answer !== undefined;
  element("answer").value = answer ?? "";
  element("names").replaceChildren(...names.map((name) => new Option(name, name)));
  element("question-extra").hidden = extra === undefined;
  element("question-extra").textContent = extra?.label ?? "";
  element("question-extra").onclick = extra?.act ?? null;
  dialog.returnValue = "";
  dialog.showModal();
  if (answer !== undefined) element("answer").select();
  return new Promise((resolve) => {
    dialog.addEventListener(
      "close",
      () => {
        if (dialog.returnValue !== "yes") resolve(null);
        else resolve(answer === undefined ? true : element("answer").value.trim());
      },
      { once: true },
    );
  });
}
