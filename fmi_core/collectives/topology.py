"""Who meets whom: peers and index arithmetic that several algorithms share.

Functions named like a shape (``star``, ``ring``, ``binomial`` ...) have the signature of
``Algorithm.links``: ``shape(rank, size, root)`` gives the ranks that ``rank`` meets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from fmi_core.collectives.steps import Blocks, Side

# ---------------------------------------------------------------------------------------- block indices


def one(block: int) -> range:
    """Give the blocks of a message that carries a single one."""
    return range(block, block + 1)


def pack(indices: Sequence[int]) -> Blocks:
    """Give ascending block indices as a range where they are adjacent, as a tuple where not."""
    if indices and indices[-1] - indices[0] == len(indices) - 1:
        return range(indices[0], indices[-1] + 1)
    return tuple(indices)


def wrap(start: int, count: int, size: int) -> Blocks:
    """Give ``count`` blocks from ``start`` on, going on at block 0 after block ``size - 1``."""
    end = start + count
    return range(start, end) if end <= size else (*range(start, size), *range(end - size))


def side(rank: int, peer: int) -> Side:
    """Give the side on which ``rank`` folds what comes from ``peer``, so that rank order survives."""
    return Side.RIGHT if peer > rank else Side.LEFT


def powers(limit: int) -> list[int]:
    """Give the powers of two below ``limit``, ascending: the distances of a doubling algorithm."""
    return [1 << k for k in range((limit - 1).bit_length())]


def floor_power(size: int) -> int:
    """Give the largest power of two that is not above ``size``."""
    return 1 << (size.bit_length() - 1)


# ------------------------------------------------------------------------------------------ simple shapes


def everyone(rank: int, size: int, _root: int) -> frozenset[int]:
    """Meet all others."""
    return frozenset(range(size)) - {rank}


def star(rank: int, size: int, root: int) -> frozenset[int]:
    """Meet the root; the root meets all."""
    return everyone(rank, size, root) if rank == root else frozenset((root,))


def star_at_0(rank: int, size: int, _root: int) -> frozenset[int]:
    """Meet rank 0; rank 0 meets all."""
    return star(rank, size, 0)


def ring(rank: int, size: int, _root: int) -> frozenset[int]:
    """Meet the neighbours on a ring."""
    return frozenset(((rank + 1) % size, (rank - 1) % size)) - {rank}


def line(rank: int, size: int, _root: int) -> frozenset[int]:
    """Meet the neighbours in rank order; the first and the last rank have one each."""
    return frozenset(peer for peer in (rank - 1, rank + 1) if 0 <= peer < size)


def chain(rank: int, size: int, root: int) -> frozenset[int]:
    """Meet the neighbours in a line that starts at the root and goes on at rank 0 after the last rank."""
    return frozenset((peer + root) % size for peer in line((rank - root) % size, size, 0))


def dissemination(rank: int, size: int, _root: int) -> frozenset[int]:
    """Meet the ranks 1, 2, 4 ... further and before, around the ring."""
    return frozenset((rank + step) % size for d in powers(size) for step in (d, -d)) - {rank}


def doubling_line(rank: int, size: int, _root: int) -> frozenset[int]:
    """Meet the ranks 1, 2, 4 ... further and before, without going around."""
    return frozenset(peer for d in powers(size) for peer in (rank - d, rank + d) if 0 <= peer < size)


# ------------------------------------------------------------------------------------------ binomial trees


class Tree(NamedTuple):
    """A rank's place in a tree: its parent (``None``: it is the root) and its children, nearest first."""

    parent: int | None
    children: tuple[int, ...]

    def peers(self) -> frozenset[int]:
        """Give parent and children as one set."""
        return frozenset(self.children if self.parent is None else (self.parent, *self.children))


def binomial_tree(rank: int, size: int, root: int) -> Tree:
    """Give a rank's place in the binomial tree over the ranks counted from the root, around the ring.

    Counted so, node v has the parent v without its lowest bit, and its subtree is the run of nodes
    from v on (Chan et al. 2007, minimum spanning trees).
    """
    node = (rank - root) % size
    low = node & -node if node else size
    children = tuple((node + d + root) % size for d in powers(low) if node + d < size)
    return Tree((node - low + root) % size if node else None, children)


def subtree(rank: int, size: int, root: int) -> Blocks:
    """Give the blocks, one a rank, of the binomial subtree that ``rank`` heads."""
    node = (rank - root) % size
    return wrap(rank, min(node & -node, size - node) if node else size, size)


def ordered_tree(rank: int, size: int, root: int) -> Tree:
    """Give a rank's place in a tree of which every subtree is a run of ranks, so that order survives.

    The ranks from the root on form one binomial tree, those before it another; the head of the
    latter, rank 0, is the root's last child. A root in the middle costs one round more at most.
    """
    if rank < root:
        tree = binomial_tree(rank, root, 0)
        return tree if rank else Tree(root, tree.children)
    upper = binomial_tree(rank - root, size - root, 0)
    children = tuple(child + root for child in upper.children)
    if rank == root:
        return Tree(None, (*children, 0) if root else children)
    assert upper.parent is not None
    return Tree(upper.parent + root, children)


def binomial(rank: int, size: int, root: int) -> frozenset[int]:
    """Meet parent and children in the binomial tree."""
    return binomial_tree(rank, size, root).peers()


def binomial_at_0(rank: int, size: int, _root: int) -> frozenset[int]:
    """Meet parent and children in the binomial tree at rank 0."""
    return binomial(rank, size, 0)


def ordered_binomial(rank: int, size: int, root: int) -> frozenset[int]:
    """Meet parent and children in the tree that keeps rank order."""
    return ordered_tree(rank, size, root).peers()


# -------------------------------------------------------------------------------------------- prefix trees


class Meeting(NamedTuple):
    """One round of a sweep: with whom, and whether this rank gives or takes."""

    peer: int
    gives: bool


def sweep(rank: int, size: int) -> list[Meeting]:
    """Give a rank's meetings, in order, in the up and the down sweep of a prefix tree in place.

    Upwards, rank r folds what rank r - d has whenever 2d divides r + 1; it then holds the fold of as
    many ranks as the lowest bit of r + 1 says. Downwards, the complete prefixes fill the gaps (Brent
    and Kung 1982).
    """
    place = rank + 1
    low = place & -place
    up = [Meeting(rank - d, gives=False) for d in powers(low)]
    if rank + low < size:
        up.append(Meeting(rank + low, gives=True))
    down = [Meeting(rank - low, gives=False)] if place > low else []
    down += [Meeting(rank + d, gives=True) for d in reversed(powers(low)) if rank + d < size]
    return up + down


def prefix_tree(rank: int, size: int, _root: int) -> frozenset[int]:
    """Meet the peers of both sweeps."""
    return frozenset(meeting.peer for meeting in sweep(rank, size))


# ---------------------------------------------------------------------------------------------- hypercubes


class Hypercube(NamedTuple):
    """The largest hypercube that ``size`` ranks fill, and how the ranks left over attach to it.

    The first ranks pair up, (0, 1), (2, 3) ..., as many pairs as there are ranks too many; of each pair
    one rank *folds in*: it hands its data to its twin and waits. So corners stand for runs of ranks, and
    rank order survives (Thakur et al. 2005). ``keep`` never folds in (the root of a
    reduction); else the even rank of a pair does.
    """

    size: int
    keep: int = -1

    @property
    def corners(self) -> int:
        """The number of corners, a power of two."""
        return floor_power(self.size)

    def corner(self, rank: int) -> int:
        """Give the corner at which ``rank`` stands, alone or with its twin."""
        pairs = self.size - self.corners
        return rank // 2 if rank < 2 * pairs else rank - pairs

    def rank(self, corner: int) -> int:
        """Give the rank that acts for ``corner``."""
        pairs = self.size - self.corners
        if corner >= pairs:
            return corner + pairs
        return self.keep if self.keep // 2 == corner else 2 * corner + 1

    def twin(self, rank: int) -> int | None:
        """Give the other rank at the same corner, if there is one."""
        return rank ^ 1 if rank < 2 * (self.size - self.corners) else None

    def folds_in(self, rank: int) -> bool:
        """Say whether ``rank`` hands its data to its twin."""
        return self.rank(self.corner(rank)) != rank

    def neighbours(self, rank: int) -> list[int]:
        """Give the ranks that act for the corners at distance 1, 2, 4 ..."""
        corner = self.corner(rank)
        return [self.rank(corner ^ d) for d in powers(self.corners)]

    def peers(self, rank: int) -> frozenset[int]:
        """Give all ranks that ``rank`` meets."""
        twin = self.twin(rank)
        near = [] if self.folds_in(rank) else self.neighbours(rank)
        return frozenset(near if twin is None else (*near, twin))


def hypercube(rank: int, size: int, _root: int) -> frozenset[int]:
    """Meet the neighbours on the hypercube, and the twin."""
    return Hypercube(size).peers(rank)


def hypercube_of_root(rank: int, size: int, root: int) -> frozenset[int]:
    """Meet the neighbours on the hypercube to which the root belongs, and the twin."""
    return Hypercube(size, keep=root).peers(rank)
