"""The proof that an algorithm keeps its contract, for one size, root and number of blocks.

All ranks' schedules run here, on terms instead of data (see ``contract``). One run is a proof: a receive
names its peer, and between two ranks messages keep their order, so that ranks form a network whose
results do not depend on timing (Kahn: The Semantics of a Simple Language for Parallel Programming, 1974).

It runs under both kinds of delivery. *Buffered*: a send is done at once. *Synchronous*: a round's sends
are done only when they are taken, which is the strictest test for deadlock. An algorithm that passes both
runs on any channel between the two.
"""

from __future__ import annotations

import enum
from collections import Counter, defaultdict, deque
from typing import NamedTuple, NoReturn

from fmi_core.collectives.algorithm import Algorithm, collective
from fmi_core.collectives.contract import Folded, Term, Token, Word, end, start, word
from fmi_core.collectives.steps import Blocks, Local, Recv, Round, Schedule, Send, Side
from fmi_core.errors import ArgumentError, FmiError

__all__ = ["Delivery", "Proof", "ScheduleError", "verify"]


class ScheduleError(FmiError, AssertionError):
    """A schedule breaks a rule. ``rank`` and ``round`` say where (``None``: not in one place)."""

    def __init__(self, message: str, *, rank: int | None = None, round: int | None = None) -> None:  # noqa: A002 (the field's word)
        super().__init__(message)
        self.rank = rank
        self.round = round


class Delivery(enum.Enum):
    """When a send is done."""

    BUFFERED = "buffered"  # at once
    SYNCHRONOUS = "synchronous"  # when it is taken


class Proof(NamedTuple):
    """What a run has shown besides being right: the traffic, to hold against the literature.

    Attributes:
        messages: Messages taken, over all ranks.
        puts: Send steps over all ranks; a message to many peers is one put for a store.
        moved: Blocks taken, over all ranks.
        depth: Rounds with transfers on the longest path from any start to any end.
    """

    messages: int
    puts: int
    moved: int
    depth: int


class _Message(NamedTuple):
    blocks: Blocks
    values: tuple[Term, ...]
    known: int  # the ranks whose start the sender knows of, as bits
    clock: int  # the sender's depth after this round


class _Rank:
    """One rank in the middle of its schedule."""

    def __init__(self, rank: int, rounds: Schedule, links: frozenset[int], values: dict[int, Term]) -> None:
        self.rank = rank
        self.rounds = rounds
        self.links = links
        self.values = values
        self.known = 1 << rank
        self.number = 0  # rounds begun
        self.round: Round = ()
        self.awaited: list[Recv] = []
        self.taken: list[tuple[Recv, _Message]] = []  # in the order of arrival
        self.untaken: list[int] = []  # the peers that have not taken a send
        self.clock = 0
        self.done = False


def verify(algorithm: Algorithm, size: int, root: int = 0, blocks: int | None = None) -> Proof:
    """Prove ``algorithm`` for ``size`` ranks, or say what is wrong with it.

    Args:
        algorithm: What to prove; it need not be in the catalog.
        size: The number of ranks.
        root: The root, 0 for a collective that has none.
        blocks: D, the number of data blocks; ``None``: as many as the algorithm asks for.

    Returns:
        The traffic that was seen.

    Raises:
        ScheduleError: The result, the fold order or the fold tree is wrong, a rank waits for ever, a message
            is not read or does not fit, a link was not declared, a block is undefined, out of range or
            written where it must not be.
        ArgumentError: The algorithm does not offer this size, or there is no such root.
    """
    least = algorithm.blocks(size)
    if reason := algorithm.why_not(size):
        message = f"{algorithm.collective}/{algorithm.name} cannot be proved for {size} ranks: {reason}"
        raise ArgumentError(message, argument="size", value=size)
    roots = range(size if collective(algorithm.collective).rooted else 1)
    if root not in roots:
        message = f"root is {root}; {algorithm.collective} over {size} ranks can have roots {_span(roots)}"
        raise ArgumentError(message, argument="root", value=root)
    count = least if blocks is None else blocks
    proof = _Run(algorithm, size, root, count, Delivery.BUFFERED).run()
    _Run(algorithm, size, root, count, Delivery.SYNCHRONOUS).run()
    return proof


class _Run:
    """All ranks' schedules, run under one kind of delivery."""

    def __init__(self, algorithm: Algorithm, size: int, root: int, blocks: int, delivery: Delivery) -> None:
        self.algorithm = algorithm
        self.size = size
        self.root = root
        self.blocks = blocks
        self.delivery = delivery
        self.space = algorithm.space(size, blocks)
        self.readonly = range(blocks if algorithm.collective == "alltoall" else 0)
        # Far more than any sensible schedule takes; it turns an endless one into an error.
        self.most_rounds = 64 + 8 * (size + 1) * (blocks + 1)
        self.mail: defaultdict[tuple[int, int], deque[_Message]] = defaultdict(deque)
        self.folds: dict[tuple[int, int], Folded] = {}
        self.words: dict[int, Word] = {}
        self.messages = self.puts = self.moved = 0
        self.ranks = [
            _Rank(
                rank,
                algorithm.schedule(rank, size, root, blocks),
                algorithm.links(rank, size, root),
                start(algorithm.collective, rank, size, root, blocks),
            )
            for rank in range(size)
        ]

    def run(self) -> Proof:
        """Run to the end, check everything, and give the traffic."""
        self._check_links()
        ready = deque(range(self.size))
        for one in self.ranks:
            self._begin(one, ready)
        while ready:
            one = self.ranks[ready.popleft()]
            while not one.done and self._advance(one, ready):
                self._begin(one, ready)
        self._check_stuck()
        self._check_unread()
        self._check_result()
        return Proof(self.messages, self.puts, self.moved, max(one.clock for one in self.ranks))

    def _fail(self, text: str, one: _Rank | None = None) -> NoReturn:
        where = (
            f"{self.algorithm.collective}/{self.algorithm.name}, size {self.size}, root {self.root}, "
            f"{self.blocks} data blocks, {self.delivery.value} delivery: "
        )
        if one is None:
            raise ScheduleError(where + text)
        raise ScheduleError(f"{where}{_place(one)} {text}", rank=one.rank, round=one.number)

    # ------------------------------------------------------------------------------------- running

    def _begin(self, one: _Rank, ready: deque[int]) -> None:
        """Begin the rank's next round: check its steps, post its sends."""
        following = next(one.rounds, None)
        if following is None:
            one.done = True
            return
        one.round = following
        one.number += 1
        if one.number > self.most_rounds:
            self._fail(f"is one too many: no schedule should take {self.most_rounds} rounds", one)
        self._check_round(one)
        one.awaited = [step for step in following if isinstance(step, Recv)]
        sends = [step for step in following if isinstance(step, Send)]
        one.clock += bool(sends or one.awaited)
        for step in sends:
            self.puts += 1
            values = tuple(self._read(one, block, "sends") for block in step.blocks)
            for peer in step.peers:
                self.mail[one.rank, peer].append(_Message(step.blocks, values, one.known, one.clock))
                one.untaken.append(peer)
                ready.append(peer)

    def _advance(self, one: _Rank, ready: deque[int]) -> bool:
        """Take what has come; if that ends the round, apply it and say so."""
        waiting = []
        for recv in one.awaited:
            box = self.mail[recv.peer, one.rank]
            if box:
                one.taken.append((recv, box.popleft()))
                self.ranks[recv.peer].untaken.remove(one.rank)
                ready.append(recv.peer)
            else:
                waiting.append(recv)
        one.awaited = waiting
        if waiting or (one.untaken and self.delivery is Delivery.SYNCHRONOUS):
            return False
        self._apply(one)
        return True

    def _apply(self, one: _Rank) -> None:
        """End the round: store what was received, then fold, then work locally."""
        in_order = {id(step): place for place, step in enumerate(one.round)}
        for recv, message in sorted(one.taken, key=lambda pair: (pair[0].fold is not None, in_order[id(pair[0])])):
            self._check_fit(one, recv, message)
            self.messages += 1
            self.moved += len(message.values)
            one.known |= message.known
            one.clock = max(one.clock, message.clock)
            for block, value in zip(recv.blocks, message.values, strict=True):
                self._write(one, block, value, recv.fold)
        one.taken = []
        for step in one.round:
            if isinstance(step, Local):
                self._write(one, step.dst, self._read(one, step.src, "works on"), step.fold)

    def _read(self, one: _Rank, block: int, what: str) -> Term:
        if block not in one.values:
            self._fail(f"{what} block {block}, which is undefined there", one)
        return one.values[block]

    def _write(self, one: _Rank, block: int, value: Term, fold: Side | None) -> None:
        if fold is Side.LEFT:
            value = self._fold(value, self._read(one, block, "folds into"))
        elif fold is Side.RIGHT:
            value = self._fold(self._read(one, block, "folds into"), value)
        one.values[block] = value

    def _fold(self, left: Term, right: Term) -> Term:
        """Give the one object for this fold, so that equal trees are the same object."""
        return self.folds.setdefault((id(left), id(right)), Folded(left, right))

    # ------------------------------------------------------------------------------------- checking

    def _check_links(self) -> None:
        """A link has two ends, so both ranks must declare it."""
        for one in self.ranks:
            for peer in one.links:
                if peer not in range(self.size) or peer == one.rank:
                    self._fail(f"rank {one.rank} declares a link to rank {peer}, which it cannot have")
                if one.rank not in self.ranks[peer].links:
                    self._fail(f"rank {one.rank} declares a link to rank {peer}, but {peer} none to {one.rank}")

    def _check_round(self, one: _Rank) -> None:
        """Check all that can be said of a round alone."""
        sent: set[int] = set()
        stored: set[int] = set()
        received: Counter[int] = Counter()
        for step in one.round:
            if isinstance(step, Send):
                self._check_send(one, step)
                sent.update(step.blocks)
            elif isinstance(step, Recv):
                self._check_peer(one, step.peer, "receives from")
                self._check_written(one, step.blocks)
                received.update(step.blocks)
                if step.fold is None:
                    stored.update(step.blocks)
            else:
                self._check_bounds(one, (step.src,))
                self._check_written(one, (step.dst,))
        for block in sorted(stored):
            if block in sent:
                self._fail(f"stores into block {block} and sends it in the same round", one)
            if received[block] > 1:
                self._fail(f"stores into block {block} and receives it again in the same round", one)

    def _check_send(self, one: _Rank, step: Send) -> None:
        if len(set(step.peers)) != len(step.peers) or not step.peers:
            self._fail(f"sends to peers {step.peers}: each once, and at least one", one)
        for peer in step.peers:
            self._check_peer(one, peer, "sends to")
        self._check_bounds(one, step.blocks)

    def _check_peer(self, one: _Rank, peer: int, what: str) -> None:
        if peer not in range(self.size) or peer == one.rank:
            self._fail(f"{what} rank {peer}; another rank of {_span(range(self.size))} is needed", one)
        if peer not in one.links:
            self._fail(f"{what} rank {peer} over a link that it did not declare", one)

    def _check_bounds(self, one: _Rank, blocks: Blocks) -> None:
        for block in blocks:
            if not 0 <= block < self.space:
                known = f"it has {_span(range(self.space))}" if self.space else "it has none"
                self._fail(f"names block {block}; {known}, scratch included", one)

    def _check_written(self, one: _Rank, blocks: Blocks) -> None:
        self._check_bounds(one, blocks)
        for block in blocks:
            if block in self.readonly:
                self._fail(f"writes block {block}, which is the caller's own and only to be sent", one)

    def _check_fit(self, one: _Rank, recv: Recv, message: _Message) -> None:
        """A message must fit in number and, unless all blocks have one size, in sizes."""
        if len(recv.blocks) != len(message.blocks):
            self._fail(
                f"expects {len(recv.blocks)} blocks from rank {recv.peer}, which sends {len(message.blocks)}",
                one,
            )
        for theirs, mine in zip(message.blocks, recv.blocks, strict=True):
            if self.algorithm.collective == "alltoall":
                same = theirs == one.rank and mine == self.size + recv.peer
            else:
                same = theirs % self.blocks == mine % self.blocks
            if not (same or self.algorithm.uniform_blocks):
                self._fail(
                    f"takes block {theirs} of rank {recv.peer} as its block {mine}, which may differ in "
                    "size; only an algorithm with uniform_blocks may do so",
                    one,
                )

    def _check_stuck(self) -> None:
        waits = []
        for one in self.ranks:
            if one.done:
                continue
            owed = [f"rank {recv.peer} to send" for recv in one.awaited]
            owed += [f"rank {peer} to take" for peer in one.untaken if self.delivery is Delivery.SYNCHRONOUS]
            waits.append(f"{_place(one)} waits for {', '.join(owed)}")
        if waits:
            ended = ", ".join(str(one.rank) for one in self.ranks if one.done) or "none"
            self._fail(f"deadlock: {'; '.join(waits)}; ranks that have ended: {ended}")

    def _check_unread(self) -> None:
        for (source, peer), box in self.mail.items():
            if box:
                self._fail(f"unread: rank {source} sent rank {peer} {len(box)} message(s) that it never takes")

    def _check_result(self) -> None:
        name = self.algorithm.collective
        for one in self.ranks:
            for block, wanted in end(name, one.rank, self.size, self.root, self.blocks).items():
                self._check_block(one, block, wanted)
            if name == "barrier" and one.known != (1 << self.size) - 1:
                missing = ", ".join(str(peer) for peer in range(self.size) if not one.known >> peer & 1)
                self._fail(f"rank {one.rank} leaves the barrier without knowing that these came: {missing}")
        if name == "allreduce":
            first = self.ranks[0].values
            for one in self.ranks[1:]:
                for block in range(self.blocks):
                    if one.values[block] is not first[block]:
                        self._fail(
                            f"rank {one.rank} folds block {block} in another tree than rank 0: "
                            f"{_tree(one.values[block])}, not {_tree(first[block])}"
                        )

    def _check_block(self, one: _Rank, block: int, wanted: Word) -> None:
        if block not in one.values:
            self._fail(f"rank {one.rank} ends without block {block}, which should be {_text(wanted)}")
        term = one.values[block]
        found = self.words.get(id(term)) or self.words.setdefault(id(term), word(term))
        if self.algorithm.commutative_only:
            found, wanted = tuple(sorted(found)), tuple(sorted(wanted))
        if found != wanted:
            why = ": right contributions in the wrong order" if sorted(found) == sorted(wanted) else ""
            self._fail(f"rank {one.rank} ends with block {block} = {_text(found)}, not {_text(wanted)}{why}")


def _place(one: _Rank) -> str:
    return f"rank {one.rank}, round {one.number},"


def _span(values: range) -> str:
    return f"{values[0]}..{values[-1]}"


def _tree(term: Term, depth: int = 6) -> str:
    if isinstance(term, Token):
        return f"{term.rank}.{term.block}"
    return f"({_tree(term.left, depth - 1)} ⊕ {_tree(term.right, depth - 1)})" if depth else "…"


def _text(tokens: Word) -> str:
    return " ⊕ ".join(f"{token.rank}.{token.block}" for token in tokens)
