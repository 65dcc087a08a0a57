"""A message travels around the ring of ranks: the time of one hop, for several sizes.

``fmi run -n 4 examples/ring.py``, and with ``--channel tcp`` or ``--channel unix`` to compare.
"""

import statistics
import time

import numpy as np
import numpy.typing as npt

import fmi_core as fmi

SIZES_BYTES = (8, 1024, 65536, 1 << 20)
LAPS = 50


def lap(comm: fmi.Communicator, token: npt.NDArray[np.uint8]) -> None:
    """Rank 0 sends ``token`` off and gets it back; every other rank passes it on."""
    left, right = (comm.rank - 1) % comm.size, (comm.rank + 1) % comm.size
    if comm.rank == 0:
        comm.Send(token, dest=right)
        comm.Recv(token, source=left)
    else:
        comm.Recv(token, source=left)
        comm.Send(token, dest=right)


def hop_us(comm: fmi.Communicator, size_bytes: int) -> float:
    """The median time of one hop with ``size_bytes`` bytes, in µs, as rank 0 sees it."""
    token = np.zeros(size_bytes, dtype="u1")
    lap(comm, token)  # the first lap opens the links
    laps_s = []
    for _ in range(LAPS):
        start = time.perf_counter()
        lap(comm, token)
        laps_s.append(time.perf_counter() - start)
    return statistics.median(laps_s) / comm.size * 1e6


def main() -> None:
    """Prints one line for each size on rank 0."""
    with fmi.init() as comm:
        if comm.size == 1:
            raise SystemExit("a ring needs two ranks or more: fmi run -n 2 examples/ring.py")
        for size_bytes in SIZES_BYTES:
            hop = hop_us(comm, size_bytes)
            if comm.rank == 0:
                print(f"{size_bytes:>8} bytes: {hop:8.1f} µs a hop, {size_bytes / hop:8.1f} MB/s")


if __name__ == "__main__":
    main()
