"""The packages of ``packaging/build.py --npm``, as an app gets them: with npm, into a new project.

They lie in ``npm`` beside the bundle that ``SIDECAR_ARGV`` names.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest
from bundle_under_test import BUNDLE, MANIFEST, NO_BUNDLE
from npm_registry import Registry

PACKAGES = None if BUNDLE is None else BUNDLE.parent / "npm"
# The client's only dependency, as its own tests use it.
DEPENDENCY = Path(__file__).resolve().parents[2] / "protocol/node/node_modules/@msgpack/msgpack"

APP = """
import { findCommand, SpeakerSidecar } from "speaker-sidecar";
const { command, args } = findCommand();
const sidecar = await SpeakerSidecar.start({ command, args: [...args, "--threads", "1"] });
const samples = Float32Array.from({ length: 32_000 }, (_, n) => 0.1 * Math.sin(n / 8));
const { embedding, fingerprint } = await sidecar.embed({ samples, sampleRateHz: 16_000 });
await sidecar.close();
console.log(JSON.stringify({ command, fingerprint, embedding: [...embedding] }));
"""


def reason_to_skip():
    if BUNDLE is None:
        return NO_BUNDLE
    if not PACKAGES.is_dir():
        return "no packages lie beside the bundle: build.py --npm"
    if shutil.which("npm") is None:
        return "npm is not installed"
    if not DEPENDENCY.is_dir():
        return "the client's dependency is not there: npm --prefix protocol/node ci"
    return None


pytestmark = pytest.mark.skipif(reason_to_skip() is not None, reason=str(reason_to_skip()))


@pytest.fixture
def run(tmp_path):
    """Run a program in the new project; what it printed."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        probe.listen()
        try:
            socket.create_connection(probe.getsockname(), 5).close()
        except OSError as error:
            pytest.skip(f"no connection is possible here, not even to this machine: {error}")
    project = tmp_path / "an empty project"
    project.mkdir()
    (project / "package.json").write_text('{"private": true}')
    own = {"HOME": str(tmp_path), "npm_config_cache": str(tmp_path / "cache")}

    def run(program, *words, cwd=project):
        argv = [shutil.which(program), *map(str, words)]
        environment = {**os.environ, **own}
        done = subprocess.run(
            argv, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run.project = project
    return run


def packages():
    """The .tgz of the client, and of this platform."""
    [client] = PACKAGES.glob("speaker-sidecar-[0-9]*.tgz")
    [platform] = set(PACKAGES.glob("*.tgz")) - {client}
    return client, platform


def install(run, registry, *words):
    options = ["--no-audit", "--no-fund", "--fetch-retries=0", f"--registry={registry.url}"]
    run("npm", "install", *options, *words)


def dependency(run, folder):
    pack = ["pack", "--ignore-scripts", "--pack-destination", folder]
    return folder / run("npm", *pack, cwd=DEPENDENCY).split()[-1]


def assert_it_embeds(run, platform):
    app = run.project / "app.mjs"
    app.write_text(APP)
    told = json.loads(run("node", app, cwd=run.project.parent))
    name = platform.name.removesuffix(f"-{MANIFEST['version']}.tgz")
    inside = run.project / "node_modules" / name / "speaker-sidecar"
    assert Path(told["command"]).parent == inside.resolve()
    assert told["fingerprint"] == MANIFEST["models"][0]["fingerprint"]
    assert any(told["embedding"])
    # All of the bundle is there, and as it was.
    assert (inside / "manifest.json").read_bytes() == (BUNDLE / "manifest.json").read_bytes()
    for file in MANIFEST["files"]:
        assert (inside / file["path"]).stat().st_size == file["n_bytes"], file["path"]


def test_the_client_brings_the_program_of_this_platform_alone(run, tmp_path):
    client, platform = packages()
    other = {
        "name": "speaker-sidecar-win32-x64",
        "version": MANIFEST["version"],
        "os": ["win32"],
        "cpu": ["x64"],
    }
    foreign = [] if platform.name.startswith(other["name"]) else [other]
    with Registry([client, platform, dependency(run, tmp_path)], foreign) as registry:
        install(run, registry, "speaker-sidecar")
    assert platform.name in registry.asked
    assert not {f"{about['name']}.tgz" for about in foreign} & set(registry.asked)
    assert_it_embeds(run, platform)


def test_both_files_into_an_empty_project(run, tmp_path):
    """As long as nothing is published: npm goes without what no registry has."""
    client, platform = packages()
    with Registry([dependency(run, tmp_path)]) as registry:
        install(run, registry, client, platform)
    assert_it_embeds(run, platform)
