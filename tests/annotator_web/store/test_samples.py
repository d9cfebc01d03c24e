import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from annotator_web.project import Dimension
from annotator_web.store.samples import Limits, columns_of, names_of, pack, unpack

LIMITS = Limits(60.0, 1800, (Dimension("arousal", -1, 1, "calm", "excited"),))
ROW = st.tuples(
    st.floats(0, 60),
    st.none() | st.integers(0, 1799),
    st.floats(0, 1e12),
    st.none() | st.floats(-1, 1),
    st.integers(0, 65_535),
)


@given(st.lists(ROW, min_size=1, max_size=70))
def test_samples_come_back_as_they_went_in(rows):
    names = names_of(["arousal"])
    given_columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))

    columns = columns_of({"samples": given_columns}, LIMITS)
    back = unpack(pack(columns), names)

    assert back.shape == (5, len(rows))
    assert np.array_equal(back, columns, equal_nan=True)
    for name, row in zip(names, back, strict=True):
        read = [None if np.isnan(cell) else cell for cell in row]
        assert read == given_columns[name]
