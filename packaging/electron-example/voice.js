// A voice as the app knows it: the mean of a few utterances' embeddings.

class Voice {
  #sum = null;
  #fingerprint = null;
  nUtterances = 0;

  /** Add an utterance's result of `embed`. */
  add({ embedding, fingerprint }) {
    if (this.#fingerprint !== fingerprint) {
      // Another model serves now: embeddings of two models cannot be compared.
      this.#sum = new Float32Array(embedding.length);
      this.#fingerprint = fingerprint;
      this.nUtterances = 0;
    }
    embedding.forEach((value, index) => (this.#sum[index] += value));
    this.nUtterances += 1;
  }

  /** The mean direction, for `score`; null: nothing was added. */
  get stored() {
    if (this.#sum === null) return null;
    const norm = Math.hypot(...this.#sum);
    return {
      embedding: this.#sum.map((value) => value / norm),
      fingerprint: this.#fingerprint,
    };
  }
}

module.exports = { Voice };
