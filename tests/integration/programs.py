"""Random programs: how one is made, how a rank plays it, and what every rank must get.

A program is a list of steps that all ranks know; each does its own part of every step, in order, so no
program can block for ever: what a rank waits for was begun by the others at the same step or before.
Results are kept by the number of the operation, whenever it was completed.

A *slot* stands for a communicator: a tuple of groups, since a split gives several at once; on each rank
it is the communicator of the group that has this rank, or none.
"""

from __future__ import annotations

import functools
import random
import time
from collections.abc import Callable
from typing import Any

import numpy as np

import fmi_core as fmi

COLLECTIVES = (
    "barrier", "bcast", "scatter", "gather", "allgather", "alltoall", "reduce", "allreduce", "scan", "exscan",
    "reduce_scatter", "scatterv", "gatherv", "allgatherv", "alltoallv", "reduce_scatter_counts",
)  # fmt: skip
OBJECTS = COLLECTIVES[:11]
DTYPES = ("f8", "i4", "u1")
SENDS = ("send", "isend", "ssend_later", "persistent")
Chooser = Callable[[int, int], int]
Slot = tuple[tuple[int, ...], ...]


# --- making a program -----------------------------------------------------------------------------


def make(choose: Chooser, size: int, length: int) -> list[dict[str, Any]]:
    """A program of about ``length`` steps for ``size`` ranks; ``choose(low, high)`` decides."""
    slots: list[Slot] = [(tuple(range(size)),)]
    live = [0]
    steps: list[dict[str, Any]] = []
    flying: list[dict[str, Any]] = []  # sends without a receive yet, in order

    def pick(items: Any) -> Any:
        return items[choose(0, len(items) - 1)]

    for number in range(length):
        slot = pick(live)
        step: dict[str, Any] = {"id": number, "slot": slot}
        what = choose(0, 19)
        if what < 3:
            step.update(_communicator(choose, slots[slot], size))
            slots.append(step["groups"])
            live.append(len(slots) - 1)
        elif what == 3 and len(live) > 1:
            step["do"], step["slot"] = "free", pick(live[1:])
            if any(send["slot"] == step["slot"] for send in flying):
                continue
            live.remove(step["slot"])
        elif what < 12:
            upper = choose(0, 2) > 0
            step.update(
                do="collective",
                name=pick(COLLECTIVES if upper else OBJECTS),
                upper=upper,
                mode=choose(0, 2),
                in_place=choose(0, 1),
                root=choose(0, 7),
                count=pick((0, 1, 3, 17, 3000)),
                dtype=pick(DTYPES),
            )
        elif what < 16:
            group = pick([group for group in slots[slot] if group])
            step.update(do="send", src=pick(group), dst=pick(group), tag=choose(0, 2), upper=choose(0, 1))
            step.update(how=pick(SENDS), count=pick((0, 1, 10, 20_000)))
            flying.append(step)
        elif what < 18 and flying:
            step = _receive(choose, flying, pick(flying))
        else:
            step.update(do="wait", seed=choose(0, 999))
        steps.append(step)
    while flying:
        steps.append(_receive(choose, flying, flying[0]))
    return steps


def _communicator(choose: Chooser, slot: Slot, size: int) -> dict[str, Any]:
    how = ("dup", "split", "create_group")[choose(0, 2)]
    if how == "dup":
        return {"do": "dup", "groups": slot}
    if how == "split":
        colors = [choose(-1, 2) for _ in range(size)]
        keys = [choose(-2, 2) for _ in range(size)]
        groups = [
            tuple(sorted((r for r in group if colors[r] == color), key=lambda r: (keys[r], group.index(r))))
            for group in slot
            for color in range(3)
        ]
    else:
        colors, keys = [], []
        groups = [tuple(reversed([r for r in group if choose(0, 2)])) for group in slot]
    groups = tuple(group for group in groups if group)
    # A slot must have a group: else it is a copy after all.
    return {"do": how, "colors": colors, "keys": keys, "groups": groups} if groups else {"do": "dup", "groups": slot}


def _receive(choose: Chooser, flying: list[dict[str, Any]], near: dict[str, Any]) -> dict[str, Any]:
    """A receive that takes the oldest message between two ranks, of one tag or of any."""
    any_tag = choose(0, 2) == 0
    send = next(
        s
        for s in flying
        if all(s[key] == near[key] for key in ("slot", "src", "dst")) and (any_tag or s["tag"] == near["tag"])
    )
    flying.remove(send)
    return {**send, "do": "receive", "any_tag": any_tag, "how": choose(0, 3)}


# --- data -----------------------------------------------------------------------------------------


def array(number: int, member: int, count: int, dtype: str) -> np.ndarray:
    """Small whole numbers, so that folding in any order gives the same bits."""
    return ((np.arange(count) * 7 + member * 13 + number) % 11).astype(dtype)


def thing(number: int, member: int) -> Any:
    """An object that can be summed, and shows the order in which that was done."""
    return [(number, member, "x" * (number % 7))]


def part_count(number: int, member: int) -> int:
    return (number + 3 * member) % 5


def pair_count(number: int, src: int, dst: int) -> int:
    return (number + 2 * src + 3 * dst) % 4


def spread(counts: list[int]) -> list[int]:
    """Displacements that leave a gap of one element after each part."""
    return [sum(counts[:index]) + index for index in range(len(counts))]


# --- what must come out ---------------------------------------------------------------------------


def expected(steps: list[dict[str, Any]], size: int) -> list[dict[Any, Any]]:
    """Every rank's results, by number of operation."""
    slots: list[Slot] = [(tuple(range(size)),)]
    results: list[dict[Any, Any]] = [{} for _ in range(size)]
    for step in steps:
        number = step["id"]
        if "groups" in step:
            slots.append(step["groups"])
            for group in step["groups"]:
                for index, rank in enumerate(group):
                    results[rank][number] = (index, len(group))
        elif step["do"] == "collective":
            for group in slots[step["slot"]]:
                model = buffers_model if step["upper"] else objects_model
                for index, rank in enumerate(group):
                    results[rank][number] = model(step, index, len(group))
        elif step["do"] == "receive":
            group = next(group for group in slots[step["slot"]] if step["src"] in group)
            source = group.index(step["src"])
            data = array(number, source, step["count"], "f8").tolist() if step["upper"] else thing(number, source)
            results[step["dst"]][number] = (source, step["tag"], data)
    return results


def objects_model(step: dict[str, Any], me: int, size: int) -> Any:  # noqa: C901  # one case a collective
    number, root = step["id"], step["root"] % size
    mine = [thing(number, member) for member in range(size)]
    items = [[thing(number, 10 * member + index) for index in range(size)] for member in range(size)]
    add = functools.partial(functools.reduce, lambda a, b: a + b)
    match step["name"]:
        case "barrier":
            return None
        case "bcast":
            return mine[root]
        case "scatter":
            return items[root][me]
        case "gather":
            return mine if me == root else None
        case "allgather":
            return mine
        case "alltoall":
            return [items[member][me] for member in range(size)]
        case "reduce":
            return add(mine) if me == root else None
        case "allreduce":
            return add(mine)
        case "scan":
            return add(mine[: me + 1])
        case "exscan":
            return add(mine[:me]) if me else None
    return add([items[member][me] for member in range(size)])


def buffers_model(step: dict[str, Any], me: int, size: int) -> Any:  # noqa: C901, PLR0912  # as above
    number, count, dtype = step["id"], step["count"], step["dtype"]
    root = step["root"] % size
    mine = [array(number, member, count, dtype) for member in range(size)]
    whole = [array(number, member, size * count, dtype) for member in range(size)]
    part = slice(me * count, (me + 1) * count)
    counts = [part_count(number, member) for member in range(size)]
    own = [array(number, member, counts[member], dtype) for member in range(size)]

    def gaps(parts: list[np.ndarray]) -> list[Any]:
        return [value for piece in parts for value in (*piece.tolist(), 9)][:-1]

    def total(arrays: list[np.ndarray]) -> np.ndarray:
        return functools.reduce(lambda a, b: a + b, arrays)

    match step["name"]:
        case "barrier":
            return None
        case "bcast":
            return mine[root].tolist()
        case "scatter":
            return whole[root][part].tolist()
        case "gather":
            return np.concatenate(mine).tolist() if me == root else None
        case "allgather":
            return np.concatenate(mine).tolist()
        case "alltoall":
            return np.concatenate([w[part] for w in whole]).tolist()
        case "reduce":
            return total(mine).tolist() if me == root else None
        case "allreduce":
            return total(mine).tolist()
        case "scan":
            return total(mine[: me + 1]).tolist()
        case "exscan":
            return total(mine[:me]).tolist() if me else mine[0].tolist() if step["in_place"] else [9] * count
        case "reduce_scatter":
            return total(whole)[part].tolist()
        case "scatterv":
            return own[me].tolist()
        case "gatherv":
            return gaps(own) if me == root else None
        case "allgatherv":
            return gaps(own)
        case "alltoallv":
            return gaps([array(number, src * 16 + me, pair_count(number, src, me), dtype) for src in range(size)])
    start = sum(counts[:me])
    return total([array(number, m, sum(counts), dtype) for m in range(size)])[start : start + counts[me]].tolist()


# --- playing it -----------------------------------------------------------------------------------


class Player:
    """One rank's part."""

    def __init__(self, comm: fmi.Communicator) -> None:
        self.me = comm.rank
        self.slots: list[Any] = [comm]
        self.pending: dict[Any, tuple[Any, Callable[[Any, fmi.Status], Any]]] = {}
        self.results: dict[Any, Any] = {}

    def play(self, steps: list[dict[str, Any]]) -> dict[Any, Any]:
        for step in steps:
            getattr(self, "do_" + step["do"])(step)
        self.complete(list(self.pending))
        return self.results

    # communicators

    def made(self, step: dict[str, Any], comm: Any) -> None:
        self.slots.append(comm)
        if comm:
            self.results[step["id"]] = (comm.rank, comm.size)

    def do_dup(self, step: dict[str, Any]) -> None:
        comm = self.slots[step["slot"]]
        self.made(step, comm.Dup() if comm else None)

    def do_split(self, step: dict[str, Any]) -> None:
        comm = self.slots[step["slot"]]
        color = step["colors"][self.me]
        self.made(step, comm.Split(fmi.UNDEFINED if color < 0 else color, step["keys"][self.me]) if comm else None)

    def do_create_group(self, step: dict[str, Any]) -> None:
        comm = self.slots[step["slot"]]
        mine = next((group for group in step["groups"] if self.me in group), None)
        if not comm or mine is None:
            self.slots.append(None)
            return
        group = self.slots[0].Get_group().Incl(mine)
        self.made(step, comm.Create_group(group, step["id"]))

    def do_free(self, step: dict[str, Any]) -> None:
        if self.slots[step["slot"]]:
            self.slots[step["slot"]].Free()

    # completion

    def do_wait(self, step: dict[str, Any]) -> None:
        decide = random.Random(step["seed"] * 64 + self.me)
        ready = [key for key in self.pending if key[0] != "until received"]
        decide.shuffle(ready)
        chosen = ready[: decide.randint(0, len(ready))]
        if decide.random() < 0.3 and chosen:  # by any
            requests = [self.pending[key][0] for key in chosen]
            status = fmi.Status()
            index, value = fmi.Request.waitany(requests, status)
            _, finish = self.pending.pop(chosen[index])
            self.results.update(_named(chosen[index], finish(value, status)))
        elif decide.random() < 0.3:  # by testing
            deadline = time.monotonic() + 30
            for key in chosen:
                request, finish = self.pending.pop(key)
                status = fmi.Status()
                while not (answer := request.test(status))[0]:
                    assert time.monotonic() < deadline
                self.results.update(_named(key, finish(answer[1], status)))
        else:
            self.complete(chosen)

    def complete(self, keys: list[Any]) -> None:
        for key in keys:
            request, finish = self.pending.pop(key)
            status = fmi.Status()
            self.results.update(_named(key, finish(request.wait(status), status)))

    # messages

    def do_send(self, step: dict[str, Any]) -> None:
        if step["src"] != self.me:
            return
        comm = self.slots[step["slot"]]
        dst = comm.Get_group().members.index(step["dst"])
        upper, number = step["upper"], step["id"]
        data = array(number, comm.rank, step["count"], "f8") if upper else thing(number, comm.rank)
        how = step["how"]
        if how == "send":
            (comm.Send if upper else comm.send)(data, dst, step["tag"])
            return
        if how == "ssend_later":
            key = ("until received", number)
            self.pending[key] = (comm.Issend if upper else comm.issend)(data, dst, step["tag"]), _nothing
            return
        if how == "persistent" and upper:
            request = comm.Send_init(data, dst, step["tag"])
            request.Start()
        else:
            request = (comm.Isend if upper else comm.isend)(data, dst, step["tag"])
        self.pending["sent", number] = request, _nothing

    def do_receive(self, step: dict[str, Any]) -> None:
        if step["src"] == self.me and ("until received", step["id"]) in self.pending:
            self.pending["sent", step["id"]] = self.pending.pop(("until received", step["id"]))
        if step["dst"] != self.me:
            return
        comm = self.slots[step["slot"]]
        src = comm.Get_group().members.index(step["src"])
        tag = fmi.ANY_TAG if step["any_tag"] else step["tag"]
        buf = np.empty(step["count"] + 3, "f8")
        upper, how = step["upper"], step["how"]

        def finish(value: Any, status: fmi.Status) -> Any:
            data = buf[: status.nbytes // 8].tolist() if upper else value
            return status.source, status.tag, data

        if how == 3:
            message = comm.mprobe(src, tag)
            request = message.Irecv(buf) if upper else message.irecv()
        else:
            request = comm.Irecv(buf, src, tag) if upper else comm.irecv(None, src, tag)
        self.pending["received", step["id"]] = request, finish
        if how == 0:
            self.complete([("received", step["id"])])

    # collectives

    def do_collective(self, step: dict[str, Any]) -> None:
        comm = self.slots[step["slot"]]
        if not comm:
            return
        arguments, finish = (self.buffers if step["upper"] else self.objects)(comm, step)
        name, mode = step["name"].removesuffix("_counts"), step["mode"]
        key = ("collective", step["id"])
        if not step["upper"]:
            answer = getattr(comm, "i" * (mode > 0) + name)(*arguments)
        else:
            if step["name"] == "reduce_scatter":
                name += "_block"
            if mode == 2:
                answer = getattr(comm, name.capitalize() + "_init")(*arguments)
                answer.Start()
            else:
                answer = getattr(comm, "I" + name if mode else name.capitalize())(*arguments)
        if mode:
            self.pending[key] = answer, finish
        else:
            self.results.update(_named(key, finish(answer, fmi.Status())))

    def objects(self, comm: Any, step: dict[str, Any]) -> tuple[list[Any], Callable[..., Any]]:
        number, root, me = step["id"], step["root"] % comm.size, comm.rank
        mine = thing(number, me)
        items = [thing(number, 10 * me + index) for index in range(comm.size)]
        arguments = {
            "barrier": [],
            "bcast": [mine, root],
            "scatter": [items, root],
            "gather": [mine, root],
            "alltoall": [items],
            "reduce": [mine, fmi.SUM, root],
            "reduce_scatter": [items],
        }
        return arguments.get(step["name"], [mine]), lambda value, _: value

    def buffers(self, comm: Any, step: dict[str, Any]) -> tuple[list[Any], Callable[..., Any]]:  # noqa: C901  # as above
        number, count, dtype = step["id"], step["count"], step["dtype"]
        size, me, root, in_place = comm.size, comm.rank, step["root"] % comm.size, step["in_place"]
        mine, whole = array(number, me, count, dtype), array(number, me, size * count, dtype)
        one, many = np.full(count, 9, dtype), np.full(size * count, 9, dtype)
        here = me == root
        match step["name"]:
            case "barrier":
                return [], _nothing
            case "bcast":
                return [buf := mine if here else one, root], _content(buf)
            case "scatter":
                if here and in_place:
                    return [whole, fmi.IN_PLACE, root], _content(whole[me * count : (me + 1) * count])
                return [whole if here else None, one, root], _content(one)
            case "gather" | "allgather" as name:
                rooted = [root] if name == "gather" else []
                if in_place and (here or not rooted):
                    many[me * count : (me + 1) * count] = mine
                    return [fmi.IN_PLACE, many, *rooted], _content(many)
                mute = rooted and not here
                return [mine, None if mute else many, *rooted], _nothing if mute else _content(many)
            case "alltoall":
                return ([fmi.IN_PLACE, whole], _content(whole)) if in_place else ([whole, many], _content(many))
            case "reduce":
                if here and in_place:
                    return [fmi.IN_PLACE, mine, fmi.SUM, root], _content(mine)
                return [mine, one if here else None, fmi.SUM, root], _content(one) if here else _nothing
            case "reduce_scatter":
                if in_place:
                    return [fmi.IN_PLACE, whole], _content(whole[:count])
                return [whole, one], _content(one)
            case "allreduce" | "scan" | "exscan":
                return ([fmi.IN_PLACE, mine], _content(mine)) if in_place else ([mine, one], _content(one))
        return self.vectors(comm, step, here=here)

    def vectors(self, comm: Any, step: dict[str, Any], *, here: bool) -> tuple[list[Any], Callable[..., Any]]:
        number, dtype, name, root = step["id"], step["dtype"], step["name"], step["root"] % comm.size
        size, me, in_place = comm.size, comm.rank, step["in_place"]
        counts = [part_count(number, member) for member in range(size)]
        displs = spread(counts)
        room = np.full(displs[-1] + counts[-1], 9, dtype)
        own = slice(displs[me], displs[me] + counts[me])
        mine, one = array(number, me, counts[me], dtype), np.full(counts[me], 9, dtype)
        match name:
            case "scatterv":
                for member in range(size):
                    room[displs[member] : displs[member] + counts[member]] = array(
                        number, member, counts[member], dtype
                    )
                if here and in_place:
                    return [[room, counts, displs, dtype], fmi.IN_PLACE, root], _content(room[own])
                return [[room, (counts, displs)] if here else None, one, root], _content(one)
            case "gatherv" | "allgatherv":
                rooted = [root] if name == "gatherv" else []
                if rooted and not here:
                    return [mine, None, root], _nothing
                if in_place:
                    room[own] = mine
                return [fmi.IN_PLACE if in_place else mine, [room, (counts, displs)], *rooted], _content(room)
            case "alltoallv":
                sent = [pair_count(number, me, member) for member in range(size)]
                came = [pair_count(number, member, me) for member in range(size)]
                pieces = [array(number, me * 16 + member, sent[member], dtype) for member in range(size)]
                room = np.full(sum(came) + size - 1, 9, dtype)
                return [[np.concatenate(pieces), sent], [room, (came, spread(came))]], _content(room)
        return [array(number, me, sum(counts), dtype), one, counts if in_place else None], _content(one)


def _named(key: Any, value: Any) -> dict[Any, Any]:
    return {} if key[0] in ("sent", "until received") else {key[1]: value}


def _nothing(_value: Any, _status: fmi.Status) -> None:
    return None


def _content(buf: np.ndarray) -> Callable[..., Any]:
    return lambda _value, _status: buf.tolist()


def program(comm: fmi.Communicator, steps: list[dict[str, Any]]) -> dict[Any, Any]:
    """Play ``steps``; every result of this rank."""
    return Player(comm).play(steps)
