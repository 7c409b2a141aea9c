"""A short voice-like sound in every format that FFmpeg here can write."""

from __future__ import annotations

import subprocess

import numpy as np
import soundfile

# The name of each file, and how FFmpeg makes it.
RECIPES = {
    "pcm16.wav": ["-c:a", "pcm_s16le"],
    "pcm24.wav": ["-c:a", "pcm_s24le", "-ac", "2"],
    "float.wav": ["-c:a", "pcm_f32le"],
    "double.wav": ["-c:a", "pcm_f64le"],
    "alaw.wav": ["-c:a", "pcm_alaw", "-ar", "8000"],
    "adpcm.wav": ["-c:a", "adpcm_ima_wav"],
    "ms.wav": ["-c:a", "adpcm_ms"],
    "mp3.wav": ["-c:a", "libmp3lame"],
    "rf64.wav": ["-rf64", "always"],
    "a.w64": ["-c:a", "pcm_s16le"],
    "a.aiff": ["-c:a", "pcm_s16be"],
    "sowt.aifc": ["-c:a", "pcm_s16le", "-f", "aiff"],
    "a.caf": ["-c:a", "pcm_s16be"],
    "alac.caf": ["-c:a", "alac"],
    "a.au": ["-c:a", "pcm_mulaw"],
    "a.flac": ["-c:a", "flac"],
    "stereo.flac": ["-c:a", "flac", "-ac", "2", "-sample_fmt", "s32", "-ar", "48000"],
    "cbr.mp3": ["-c:a", "libmp3lame", "-b:a", "64k", "-ar", "44100"],
    "vbr.mp3": ["-c:a", "libmp3lame", "-q:a", "5", "-ac", "2", "-ar", "44100"],
    "bare.mp3": ["-c:a", "libmp3lame", "-q:a", "5", "-write_xing", "0", "-id3v2_version", "0"],
    "a.mp2": ["-c:a", "mp2", "-b:a", "64k"],
    "vorbis.ogg": ["-c:a", "libvorbis"],
    "a.opus": ["-c:a", "libopus"],
    "flac.oga": ["-c:a", "flac", "-f", "ogg"],
    "a.spx": ["-c:a", "libspeex"],
    "a.m4a": ["-c:a", "aac"],
    "fast.m4a": ["-c:a", "aac", "-movflags", "+faststart"],
    "alac.m4a": ["-c:a", "alac"],
    "a.aac": ["-c:a", "aac", "-f", "adts"],
    "a.webm": ["-c:a", "libopus"],
    "vorbis.mka": ["-c:a", "libvorbis", "-f", "matroska"],
    "a.wma": ["-c:a", "wmav2"],
    "a.amr": ["-c:a", "libopencore_amrnb", "-ar", "8000"],
    "a.3gp": ["-c:a", "aac", "-f", "3gp"],
    "a.tta": ["-c:a", "tta"],
    "a.wv": ["-c:a", "wavpack"],
    "a.avi": ["-c:a", "libmp3lame"],
}


def voice(duration_s=2.0, rate_hz=16_000):
    """Two vowels that rise and fall over some noise, shape (n_samples,)."""
    time_s = np.arange(round(duration_s * rate_hz)) / rate_hz
    pitch = 2 * np.pi * np.cumsum(110 + 30 * np.sin(3 * time_s)) / rate_hz
    tones = sum(np.sin(n * pitch) / n for n in range(1, 20))
    noise = np.random.default_rng(0).standard_normal(len(time_s))
    return (0.1 * tones * (0.6 + 0.4 * np.sin(9 * time_s)) + 0.003 * noise).astype(np.float32)


def make_recordings(folder, samples=None, rate_hz=16_000):
    """Write all of them to ``folder``; the paths of those that could be made."""
    source = folder / "source.wav"
    soundfile.write(source, voice() if samples is None else samples, rate_hz)
    for name, options in RECIPES.items():
        command = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-i", str(source)]
        done = subprocess.run(
            [*command, *options, str(folder / name)], capture_output=True, check=False
        )
        if done.returncode:
            (folder / name).unlink(missing_ok=True)
    return sorted(path for path in folder.iterdir() if path != source)
