"""A first look at a study: what is there, which sessions are good, one frame of each stream.

python examples/first_look.py my-study
"""

import sys

import mavfer
from mavfer.streams import celsius_from_centikelvin


def main(path: str) -> None:
    """Prints what a researcher wants to know before anything else."""
    ds = mavfer.load(path, labels=None)
    print(ds)

    table = ds.to_pandas()
    print(table[["session", "seconds", "valid_share", "carried_frames"]].to_string(index=False))

    rec = ds[0]
    frame = int(rec.usable.nonzero()[0][0])
    print(f"\nframe {frame} of {rec.session}")
    print(f"  color    {rec.color[frame].shape}, mean {rec.color[frame].mean():.0f}")
    if rec.depth.is_there:
        middle = rec.depth[frame, 112, 112]
        print(f"  depth    {middle} mm at the middle of the crop")
    if rec.thermal.is_there:
        celsius = celsius_from_centikelvin(int(rec.thermal[frame, 112, 112]))
        print(f"  thermal  {celsius:.1f} degrees Celsius there")

    bad = ds.frames().query("not valid")
    print(f"\n{len(bad)} frames without a face; reasons: {sorted(set(bad.reason))}")


if __name__ == "__main__":
    main(sys.argv[1])
