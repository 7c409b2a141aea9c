// Electron's main process. Everything but this line runs in the tests, under plain Node.

const { runApp } = require("./app.js");

runApp(require("electron"), require("speaker-sidecar"));
