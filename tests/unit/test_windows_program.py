"""What a Windows program carries: made here, since Windows alone can put it in."""

from __future__ import annotations

import importlib.util
import struct
import types
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

PACKAGING = Path(__file__).resolve().parents[2] / "packaging"


@pytest.fixture(scope="module")
def windows_program():
    path = PACKAGING / "windows_program.py"
    spec = importlib.util.spec_from_file_location("windows_program", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_icon_has_every_size(windows_program):
    icon = windows_program.icon()
    reserved, kind, n_images = struct.unpack_from("<3H", icon)
    assert (reserved, kind, n_images) == (0, 1, 6)
    end = 6 + 16 * n_images
    for number, size in enumerate(windows_program.ICON_SIZES):
        entry = struct.unpack_from("<4B2H2I", icon, 6 + 16 * number)
        width, height, _colours, _zero, planes, bits, n_bytes, offset = entry
        assert (width or 256, height or 256, planes, bits) == (size, size, 1, 32)
        assert offset == end
        header = struct.unpack_from("<IiiHHI", icon, offset)
        assert header == (40, size, 2 * size, 1, 32, 0)
        pixels = np.frombuffer(icon, np.uint8, 4 * size * size, offset + 40)
        pixels = pixels.reshape(size, size, 4)
        assert pixels[0, 0, 3] == 0  # nothing in the corner
        assert pixels[size // 2, 2 * size // 16, 3] == 255
        assert pixels[..., :3].min(axis=-1).max() > 180  # the white of a bar, nearly, at 16
        end = offset + n_bytes
    assert end == len(icon)


def test_the_version_resource(windows_program):
    text = windows_program.version_resource("1.2.3rc1", "cuda")

    def record(kind):
        return lambda *words, **named: types.SimpleNamespace(kind=kind, words=words, **named)

    kinds = ("VSVersionInfo", "FixedFileInfo", "StringFileInfo", "StringTable", "StringStruct")
    kinds += ("VarFileInfo", "VarStruct")
    resource = eval(text, {kind: record(kind) for kind in kinds})  # as PyInstaller reads it
    assert resource.ffi.filevers == resource.ffi.prodvers == (1, 2, 3, 0)
    [table] = resource.kids[0].words[0]
    told = dict(struct.words for struct in table.words[1])
    assert told["ProductVersion"] == "1.2.3rc1"
    assert told["InternalName"] == "speaker-sidecar (cuda)"
    assert told["OriginalFilename"] == "speaker-sidecar.exe"


def test_the_manifest_allows_long_paths_and_speaks_utf8(windows_program):
    settings = {
        element.tag.rpartition("}")[2]: element.text
        for element in ET.fromstring(windows_program.MANIFEST.encode()).iter()
    }
    assert settings["longPathAware"] == "true"
    assert settings["activeCodePage"] == "UTF-8"
