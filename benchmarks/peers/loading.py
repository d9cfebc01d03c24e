"""PyTorch's DataLoader with two workers, as everybody but us is read."""

from __future__ import annotations

from contextlib import contextmanager

import cv2

from peers.ours import BATCH

__all__ = ["WORKERS", "data_loader"]

WORKERS = 2


@contextmanager
def data_loader(dataset, *, order=None, batch_size=BATCH):
    """Batches of a map-style data set in the given order, or of an iterable one; then ends it."""
    from torch.utils.data import DataLoader

    loader = DataLoader(
        dataset,
        batch_size=batch_size,
        sampler=order,
        num_workers=WORKERS,
        persistent_workers=True,
        worker_init_fn=_alone,
    )
    batches = iter(loader)
    try:
        yield batches
    finally:
        batches._shutdown_workers()  # or they end whenever garbage is collected


def _alone(_: int) -> None:
    """Two workers on two cores: each keeps to one thread (torch does by itself)."""
    cv2.setNumThreads(0)
