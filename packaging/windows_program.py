"""What a Windows program carries beside its code: an icon, a version, a manifest."""

from __future__ import annotations

import re
import struct

import numpy as np
from numpy.typing import NDArray

ICON_SIZES = (16, 24, 32, 48, 64, 256)
# Each pixel is the mean of so many by so many points.
_POINTS = 4
_GROUND = (37, 99, 235)
# The heights of the waveform's bars, as shares of the icon's.
_BARS = (0.22, 0.48, 0.72, 0.36, 0.58, 0.26)

MANIFEST = """\
<?xml version="1.0" encoding="UTF-8" standalone="yes"?>
<assembly xmlns="urn:schemas-microsoft-com:asm.v1" manifestVersion="1.0">
  <trustInfo xmlns="urn:schemas-microsoft-com:asm.v3">
    <security>
      <requestedPrivileges>
        <requestedExecutionLevel level="asInvoker" uiAccess="false"/>
      </requestedPrivileges>
    </security>
  </trustInfo>
  <compatibility xmlns="urn:schemas-microsoft-com:compatibility.v1">
    <application>
      <supportedOS Id="{8e0f7a12-bfb3-4fe8-b9a5-48fd50a15a9a}"/>
    </application>
  </compatibility>
  <application xmlns="urn:schemas-microsoft-com:asm.v3">
    <windowsSettings>
      <longPathAware xmlns="http://schemas.microsoft.com/SMI/2016/WindowsSettings"
        >true</longPathAware>
      <activeCodePage xmlns="http://schemas.microsoft.com/SMI/2019/WindowsSettings"
        >UTF-8</activeCodePage>
    </windowsSettings>
  </application>
</assembly>
"""


def version_resource(version: str, edition: str) -> str:
    """The version resource, as the text that PyInstaller reads: a Python expression."""
    numbers = [int(number) for number in re.findall(r"\d+", version)[:3]]
    four = (*numbers, *(0,) * (4 - len(numbers)))
    told = {
        "CompanyName": "",
        "FileDescription": "speaker-sidecar: speech to speaker embeddings",
        "FileVersion": version,
        "InternalName": f"speaker-sidecar ({edition})",
        "LegalCopyright": "Apache-2.0; see NOTICES.txt",
        "OriginalFilename": "speaker-sidecar.exe",
        "ProductName": "speaker-sidecar",
        "ProductVersion": version,
    }
    rows = ", ".join(f"StringStruct({name!r}, {value!r})" for name, value in told.items())
    # 040904B0: US English, in Unicode. 0x40004: a program for Windows NT; 0x3F: all flags count.
    return (
        "VSVersionInfo(\n"
        f"  ffi=FixedFileInfo(filevers={four}, prodvers={four}, mask=0x3F, flags=0, OS=0x40004,\n"
        "    fileType=1, subtype=0, date=(0, 0)),\n"
        f"  kids=[StringFileInfo([StringTable('040904B0', [{rows}])]),\n"
        "    VarFileInfo([VarStruct('Translation', [0x0409, 1200])])])\n"
    )


def icon() -> bytes:
    """An .ico file: a waveform in white on a rounded square."""
    images = [_bitmap(_drawn(size)) for size in ICON_SIZES]
    offset = 6 + 16 * len(images)
    directory = struct.pack("<3H", 0, 1, len(images))
    for size, image in zip(ICON_SIZES, images, strict=True):
        directory += struct.pack("<4B2H2I", size % 256, size % 256, 0, 0, 1, 32, len(image), offset)
        offset += len(image)
    return directory + b"".join(images)


def _drawn(size: int) -> NDArray[np.uint8]:
    """The picture, shape (size, size, 4): blue, green, red, alpha; the lowest row first."""
    n_points = size * _POINTS
    along = (np.arange(n_points) + 0.5) / n_points
    x, y = np.meshgrid(along, along)
    is_ground = _is_rounded(x - 0.5, y - 0.5, half_width=0.48, half_height=0.48, radius=0.2)
    is_bar = np.zeros_like(is_ground)
    for number, height in enumerate(_BARS):
        centre = 0.5 + 0.13 * (number - (len(_BARS) - 1) / 2)
        is_bar |= _is_rounded(
            x - centre, y - 0.5, half_width=0.04, half_height=height / 2, radius=0.04
        )
    colours = np.where(is_bar[..., None], (255, 255, 255), _GROUND[::-1])
    coloured = np.concatenate([colours, 255 * is_ground[..., None]], axis=-1)
    blocks = coloured.reshape(size, _POINTS, size, _POINTS, 4)
    picture: NDArray[np.uint8] = blocks.mean(axis=(1, 3)).round().astype(np.uint8)
    return picture


def _is_rounded(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    *,
    half_width: float,
    half_height: float,
    radius: float,
) -> NDArray[np.bool_]:
    """Whether points lie in a rectangle around 0 with rounded corners."""
    beyond_x = np.maximum(np.abs(x) - (half_width - radius), 0)
    beyond_y = np.maximum(np.abs(y) - (half_height - radius), 0)
    inside: NDArray[np.bool_] = np.hypot(beyond_x, beyond_y) <= radius
    return inside


def _bitmap(picture: NDArray[np.uint8]) -> bytes:
    """A bitmap as icons hold it: of twice its height, with an empty mask, since it has alpha."""
    size = len(picture)
    header = struct.pack("<IiiHHIIiiII", 40, size, 2 * size, 1, 32, 0, picture.nbytes, 0, 0, 0, 0)
    mask_row_bytes = (size + 31) // 32 * 4
    return header + picture.tobytes() + bytes(mask_row_bytes * size)
