"""What becomes of speech on its way: by name, each as a function of the speech and a generator.

Speech is mono, 16 kHz, float32 or float64, shape (n_samples,), and so is what comes of it.
"""

from __future__ import annotations

import functools

import numpy as np
import soundfile
import soxr

SAMPLE_RATE_HZ = 16_000
STEP_SAMPLES = 512
N_TALKERS = 8


def speaking(speech):
    """Which steps of clean speech, all but the shorter last, are within 25 dB of its loud ones."""
    powers = step_powers(speech)
    return powers > np.percentile(powers, 95) / 10**2.5


def step_powers(speech):
    steps = speech[: len(speech) // STEP_SAMPLES * STEP_SAMPLES].reshape(-1, STEP_SAMPLES)
    return np.square(steps, dtype=np.float64).mean(axis=1)


def speech_power(speech):
    return step_powers(speech)[speaking(speech)].mean()


def at_level(speech, rng, dbfs):
    """As loud as that, in 16 bits."""
    scaled = speech * np.sqrt(10 ** (dbfs / 10) / speech_power(speech))
    return np.round(scaled * 32768) / 32768


def clipped(speech, rng, times, rate_hz=SAMPLE_RATE_HZ):
    """So many times as loud as fits, clipped at a rate."""
    recorded = resampled(speech, SAMPLE_RATE_HZ, rate_hz)
    cut = np.clip(times * recorded / np.abs(recorded).max(), -1, 1)
    return resampled(cut, rate_hz, SAMPLE_RATE_HZ)


def resampled(samples, from_hz, to_hz):
    return samples if from_hz == to_hz else soxr.resample(samples, from_hz, to_hz, quality="HQ")


def low_passed(speech, rng, below_hz):
    narrow = resampled(speech, SAMPLE_RATE_HZ, 2 * below_hz)
    return resampled(narrow, 2 * below_hz, SAMPLE_RATE_HZ)[: len(speech)]


def telephoned(speech, rng):
    """300 to 3400 Hz, in 8 bits of mu-law at 8 kHz (ITU-T G.711)."""
    narrow = band_passed(resampled(speech, SAMPLE_RATE_HZ, 8000), 8000, 300, 3400)
    narrow /= np.abs(narrow).max()
    folded = np.round(127 * np.log1p(255 * np.abs(narrow)) / np.log(256)) / 127
    unfolded = np.sign(narrow) * (256**folded - 1) / 255
    return resampled(unfolded, 8000, SAMPLE_RATE_HZ)[: len(speech)]


def band_passed(samples, rate_hz, low_hz, high_hz):
    spectrum = np.fft.rfft(samples)
    hz = np.fft.rfftfreq(len(samples), 1 / rate_hz)
    spectrum[(hz < low_hz) | (hz > high_hz)] = 0
    return np.fft.irfft(spectrum, len(samples))


def noisy(speech, rng, snr_db, noise):
    """With ``noise``, so far below the speech in power."""
    added = noise(rng, len(speech))
    power = speech_power(speech) / 10 ** (snr_db / 10)
    return speech + added * np.sqrt(power / np.square(added).mean())


def with_reversed_channel(speech, rng, embedded, delay=0):
    """Of two microphones, each with its noise 20 dB below, one reversed and so many samples late.

    Of them the mean is embedded, or only the one.
    """
    late = -np.concatenate([np.zeros(delay), speech])[: len(speech)]
    first, second = noisy(speech, rng, 20, white), noisy(late, rng, 20, white)
    return (first + second) / 2 if embedded == "mean" else first


def white(rng, n):
    return rng.standard_normal(n)


def pink(rng, n):
    """The same power in every octave from 50 Hz on."""
    hz = np.fft.rfftfreq(n, 1 / SAMPLE_RATE_HZ)
    spectrum = np.fft.rfft(white(rng, n)) / np.sqrt(np.maximum(hz, 50))
    return np.fft.irfft(spectrum * (hz >= 50), n)


def cut_from(rng, n, recording):
    """A piece of ``recording`` from anywhere in it, which begins anew behind its end."""
    start = rng.integers(len(recording))
    return np.resize(np.roll(recording, -start), n)


def babble(rng, n, recordings):
    """Some who talk at once, equally loud."""
    chosen = rng.choice(len(recordings), N_TALKERS, replace=False)
    talking = [cut_from(rng, n, recordings[k]) for k in chosen]
    return sum(voice / np.sqrt(np.square(voice).mean()) for voice in talking)


def degradations(audio):
    """All of them, by their names; ``audio`` is the folder of recordings."""
    strangers = [_read(path) for path in sorted((audio / "cohort").glob("*.flac"))[:40]]
    real = {
        f"recorded noise {number}": functools.partial(
            cut_from, recording=_read(audio / "speech_or_not" / f"noise-{number}.flac")
        )
        for number in (1, 2, 3)
    }
    noises = {"white noise": white, "pink noise": pink}
    noises |= {"babble": functools.partial(babble, recordings=strangers)} | real
    made = {}
    for dbfs in (-20, -40, -50, -55, -60, -65, -70, -75, -80):
        made[f"level {dbfs} dBFS"] = functools.partial(at_level, dbfs=dbfs)
    for times in (2, 3, 5, 10, 20):
        made[f"clipped {times} x"] = functools.partial(clipped, times=times)
    for times in (2, 5, 10):
        name = f"clipped {times} x at 44.1 kHz"
        made[name] = functools.partial(clipped, times=times, rate_hz=44_100)
    for below_hz in (7000, 6000, 5500, 5000, 4000, 3400, 2000):
        made[f"low pass {below_hz} Hz"] = functools.partial(low_passed, below_hz=below_hz)
    made["telephone"] = telephoned
    for name, noise in noises.items():
        for snr_db in (20, 15, 10, 5, 0):
            made[f"{name} {snr_db} dB"] = functools.partial(noisy, snr_db=snr_db, noise=noise)
    for delay in (0, 2, 4, 6):
        made[f"reversed, {delay} samples late"] = functools.partial(
            with_reversed_channel, embedded="mean", delay=delay
        )
    made["the other channel"] = functools.partial(with_reversed_channel, embedded="one")
    return made


def _read(path):
    return soundfile.read(path, dtype="float32")[0]
