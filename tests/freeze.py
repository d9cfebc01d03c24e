"""Prints constraints.txt: the exact version of everything that is installed beside mavfer."""

from importlib.metadata import distributions

NOT_PINNED = {"mavfer", "pip"}

print("# The exact set that the tests run on; pip reads it with -c. Made by 'make constraints'.")
found = {d.metadata["Name"]: d.version.partition("+")[0] for d in distributions()}
for name in sorted(found, key=str.lower):
    if name not in NOT_PINNED:
        print(f"{name}=={found[name]}")
