"""Clips in PyTorch, by mavfer's own loader and by torch's DataLoader: the same frames either way.

python examples/torch_loader.py my-study
"""

import sys

import torch
from torch.utils.data import DataLoader

import mavfer


def as_input(batch: dict) -> torch.Tensor:
    """Color, depth and thermal of a batch as one float tensor (B, 5, T, H, W)."""
    color = torch.as_tensor(batch["color"]).float() / 255  # (B, T, H, W, 3)
    depth = torch.as_tensor(batch["depth"]).float()[..., None] / 1000  # (B, T, H, W, 1) metres
    thermal = torch.as_tensor(batch["thermal"]).float()[..., None] / 100 - 273.15  # Celsius
    return torch.cat([color, depth, thermal], dim=-1).permute(0, 4, 1, 2, 3)  # (B, 5, T, H, W)


def main(path: str) -> None:
    """Prints the shape of a batch and the share of its frames that can be used, twice."""
    clips = mavfer.load(path, labels=None).clips(length=8, hop=8)
    print(f"{len(clips)} clips")

    for batch in clips.loader(batch_size=4, threads=2, shuffle=False):
        print("mavfer:", tuple(as_input(batch).shape), float(batch["valid"]["thermal"].mean()))
        break

    for batch in DataLoader(clips, batch_size=4):
        print(
            "torch: ", tuple(as_input(batch).shape), float(batch["valid"]["thermal"].float().mean())
        )
        break


if __name__ == "__main__":
    main(sys.argv[1])
