// The microphone's stream: samples from the page, and who speaks to the page.

/** The calls, `push` and `stop`, for one window: it has one stream at a time. */
function liveHandlersFor(service, tell) {
  let live = null;
  let controller = new AbortController();

  const fault = (error) => tell("liveFault", { kind: error.kind, message: error.message });

  function stop() {
    controller.abort();
    live = null;
  }

  return {
    calls: {
      /** Begin; what is known of each turn is told as `turn`. */
      listen(sampleRateHz) {
        stop();
        controller = new AbortController();
        const { signal } = controller;
        const options = { sampleRateHz, identify: true, detail: "levels", signal };
        const stream = service.sidecar.live(options);
        stream.on("turn", (turn) => tell("turn", turn));
        // Where it is in its hearing: a busy computer is late.
        stream.on("level", ({ endS }) => tell("heardUntil", endS));
        stream.on("lag", (lag) => tell("lag", lag));
        stream.on("error", (error) => {
          if (live !== stream) return;
          live = null;
          fault(error);
        });
        live = stream;
      },

      /** Nothing more comes: who spoke when, in hindsight; null where nothing is heard. */
      async hindsight() {
        const stream = live;
        live = null;
        return stream === null ? null : stream.close();
      },
    },

    push(samples) {
      if (live === null || !(samples instanceof Float32Array)) return;
      try {
        live.push(samples);
      } catch (error) {
        stop();
        fault(error);
      }
    },

    stop,
  };
}

module.exports = { liveHandlersFor };
