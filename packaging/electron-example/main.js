// Electron's main process. Everything but these lines runs in the tests, under plain Node.

const { runApp } = require("./app.js");

runApp(require("electron"), { ...require("speaker-sidecar"), ...require("speaker-sidecar/main") });
