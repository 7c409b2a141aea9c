import { listen, people, type Listening, type LiveTurn } from "speaker-sidecar/renderer";

const list = document.querySelector("ol")!;
let listening: Listening | undefined;

function show({ turn, startS, speaker, person, final }: LiveTurn) {
  const line = list.children[turn] ?? list.appendChild(document.createElement("li"));
  line.textContent = `${startS.toFixed(1)} s: ${person?.name ?? speaker ?? "somebody"}`;
  line.classList.toggle("final", final);
}

document.querySelector("#listen")!.addEventListener("click", async () => {
  listening = await listen({ identify: true, onTurn: show, onError: console.error });
});

document.querySelector("#meet")!.addEventListener("click", async () => {
  const last = listening?.turns.filter((turn) => turn.embedding !== undefined).at(-1);
  const name = document.querySelector("input")!.value;
  if (last) await people.enroll({ name, embeddings: [last] });
});
