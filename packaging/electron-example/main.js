// Electron's main process. Everything but these lines runs in the tests, under plain Node.

const { runApp } = require("./app.js");

const modules = { ...require("speaker-sidecar"), ...require("speaker-sidecar/main") };
const preload = require.resolve("speaker-sidecar/preload-script");
runApp(require("electron"), modules, preload).catch(console.error);
