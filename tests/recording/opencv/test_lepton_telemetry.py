"""Words as a Lepton sends them, and what is made of them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recording.opencv.lepton_telemetry import parse_telemetry, telemetry_rows

WORDS = {0: 0x0E09, 24: 30515, 26: 30015}


def rows_of(words, shape=(2, 160)):
    row = np.zeros(320, np.uint16)
    for place, word in {**WORDS, **words}.items():
        row[place] = word
    return row[: shape[0] * shape[1]].reshape(shape)


@given(counter=st.integers(0, 2**32 - 1), uptime=st.integers(0, 2**32 - 1))
def test_numbers_of_two_words_have_the_low_word_first(counter, uptime):
    words = {20: counter & 0xFFFF, 21: counter >> 16, 1: uptime & 0xFFFF, 2: uptime >> 16}
    telemetry = parse_telemetry(rows_of(words))

    assert telemetry.frame_counter == counter
    assert telemetry.uptime_ms == uptime


@pytest.mark.parametrize("shape", [(2, 160), (3, 80)])
def test_both_shapes_hold_the_same_words(shape):
    words = {5: 0xAB, 12: 1, 29: 30475, 30: 77, 99: 8028, 165: 1, 208: 1, 209: 1}
    telemetry = parse_telemetry(rows_of(words, shape))

    assert telemetry.revision == "14.9"
    assert telemetry.module_serial == "00ab" + "0000" * 6 + "0001"
    assert (telemetry.sensor_celsius, telemetry.housing_celsius) == (32.0, 27.0)
    assert telemetry.emissivity == pytest.approx(0.98, abs=1e-4)
    assert (telemetry.gain_mode, telemetry.is_tlinear, telemetry.is_fine) == (1, True, True)
    assert telemetry.last_ffc_ms == 77


@pytest.mark.parametrize(
    ("state", "is_closed"), [(0, False), (1, False), (2, True), (3, False)]
)  # never, imminent, in progress, complete
def test_the_shutter_is_closed_while_a_correction_is_in_progress(state, is_closed):
    others = 0b1100_1111  # every other bit of the byte
    telemetry = parse_telemetry(rows_of({3: state << 4 | others, 4: 0xFFFF}))

    assert telemetry.is_shutter_closed == is_closed


@given(st.integers(0, 2**16 - 1))
def test_rows_of_pixels_are_no_telemetry_at_whatever_temperature(level):
    assert parse_telemetry(np.full((2, 160), level, np.uint16)) is None
    assert parse_telemetry(np.full((3, 80), level, np.uint16)) is None


def test_a_sensor_without_a_temperature_is_no_telemetry():
    assert parse_telemetry(rows_of({24: 0})) is None
    assert parse_telemetry(rows_of({26: 65535})) is None


def test_rows_of_telemetry_are_known_by_the_size_of_the_picture():
    assert telemetry_rows(160, 122) == 2
    assert telemetry_rows(80, 63) == 3
    assert telemetry_rows(160, 120) == telemetry_rows(640, 512) == 0
