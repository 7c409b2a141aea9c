// A place that takes files, dropped or chosen.

/** Let `zone`, a label with a file input in it, take files; `use` is given them, as an array. */
export function fileZone(zone, use) {
  const input = zone.querySelector("input");
  input.addEventListener("change", () => {
    const files = [...input.files];
    input.value = "";
    if (files.length > 0) void use(files);
  });
  for (const [type, isOver] of [
    ["dragover", true],
    ["dragleave", false],
    ["drop", false],
  ]) {
    zone.addEventListener(type, (event) => {
      event.preventDefault();
      zone.classList.toggle("over", isOver);
    });
  }
  zone.addEventListener("drop", ({ dataTransfer }) => {
    if (dataTransfer.files.length > 0 && !input.disabled) void use([...dataTransfer.files]);
  });
}
