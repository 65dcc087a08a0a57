"""What each collective starts from and must end with, in words over contributions.

A *token* is what one rank brought in one block. A value is a *term*: a token, or the fold of two terms.
Its *word* is its tokens from left to right, which is what it is worth to an operator that is associative
and nothing else (the free monoid). Two ranks that hold the same term, not only the same word, get the
same floating-point number to the last bit.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

__all__ = ["Folded", "Term", "Token", "Word", "end", "start", "word"]


class Token(NamedTuple):
    """What ``rank`` brought in its block ``block``."""

    rank: int
    block: int


class Folded(NamedTuple):
    """``left ⊕ right``."""

    left: Term
    right: Term


Term: TypeAlias = Token | Folded
Word: TypeAlias = tuple[Token, ...]


def word(term: Term) -> Word:
    """Give the tokens of a term from left to right."""
    tokens, stack = [], [term]
    while stack:
        top = stack.pop()
        if isinstance(top, Token):
            tokens.append(top)
        else:
            stack += (top.right, top.left)
    return tuple(tokens)


def start(collective: str, rank: int, size: int, root: int, blocks: int) -> dict[int, Term]:
    """Give the blocks that ``rank`` has at the start; all others are undefined."""
    if collective in {"gather", "allgather"}:
        return {rank: Token(rank, rank)}
    if collective in {"bcast", "scatter"} and rank != root:
        return {}
    if collective == "barrier":
        return {}
    count = size if collective in {"scatter", "alltoall"} else blocks
    return {block: Token(rank, block) for block in range(count)}


def end(collective: str, rank: int, size: int, root: int, blocks: int) -> dict[int, Word]:
    """Give the blocks that ``rank`` must have at the end, as words; all others do not matter."""
    folds = {
        "reduce": range(size if rank == root else 0),
        "reduce_scatter": range(size),
        "allreduce": range(size),
        "scan": range(rank + 1),
        "exscan": range(rank),
    }
    if collective in folds:
        ranks = folds[collective]
        due = range(blocks) if collective != "reduce_scatter" else (rank,)
        return {block: tuple(Token(peer, block) for peer in ranks) for block in due if ranks}
    everything = range(size if collective == "allgather" or rank == root else 0)
    moves: dict[str, dict[int, Token]] = {
        "barrier": {},
        "bcast": {block: Token(root, block) for block in range(blocks)},
        "scatter": {rank: Token(root, rank)},
        "gather": {block: Token(block, block) for block in everything},
        "allgather": {block: Token(block, block) for block in everything},
        "alltoall": {size + peer: Token(peer, rank) for peer in range(size)},
    }
    return {block: (token,) for block, token in moves[collective].items()}
