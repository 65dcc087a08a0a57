"""The choice of an algorithm: forced by the user, else the fastest by the model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from fmi_core.channels.model import ChannelModel
from fmi_core.collectives import Algorithm, Granularity, catalog, lookup
from fmi_core.errors import ConfigError
from fmi_core.selection.price import seconds

__all__ = ["Choice", "Selector"]

_SEGMENTS = (2, 4, 8, 16, 32)
_MIN_SEGMENT_BYTES = 16 * 1024
_OBJECT_BYTES = 1024
"""What a pickled object is taken to have: ranks may see different sizes, and all must choose alike."""
_BUDGET = 20_000


class Choice(NamedTuple):
    """An algorithm and the number of its data blocks."""

    algorithm: Algorithm
    blocks: int

    @property
    def label(self) -> str:
        """``ring``, or ``chain/8`` where the number of segments was chosen."""
        segmented = self.algorithm.granularity is Granularity.SEGMENTED
        return f"{self.algorithm.name}/{self.blocks}" if segmented else self.algorithm.name


class _Key(NamedTuple):
    """All that a choice depends on."""

    collective: str
    nbytes: int
    commutative: bool
    splittable: bool
    uniform: bool


class Selector:
    """Chooses algorithms for a communicator of ``size`` ranks; the same on every rank.

    All that enters a choice is the same on all ranks: the model and ``cores`` come from one rank at
    start-up, and sizes that ranks may see differently are passed as ``None``.

    Raises:
        ConfigError: ``tune`` names a collective or an algorithm that does not exist.
    """

    def __init__(self, size: int, model: ChannelModel, cores: int, tune: Mapping[str, str]) -> None:
        self._size = size
        self._model = model
        self._cores = min(cores, size)
        self._tune = {collective: _forced(collective, text) for collective, text in tune.items()}
        self._known: dict[_Key, Choice] = {}

    def resized(self, size: int) -> Selector:
        """A selector like this one for a communicator of ``size`` ranks.

        Algorithms that are forced, and need a power of two where ``size`` is none, are not forced there.
        """
        if size == self._size:
            return self
        other = Selector(size, self._model, self._cores, {})
        whole = size & (size - 1) == 0
        other._tune = {name: forced for name, forced in self._tune.items() if whole or not forced[0].power_of_two}
        return other

    def choose(
        self,
        collective: str,
        nbytes: int | None,
        *,
        commutative: bool = True,
        splittable: bool = True,
        uniform: bool = True,
    ) -> Choice:
        """The algorithm for one call.

        Args:
            collective: what is called.
            nbytes: the data of one rank, or of one block where there is one per rank; ``None``: unknown.
            commutative: whether the operator is commutative.
            splittable: whether the data can be cut (arrays), or not (objects).
            uniform: whether all blocks have one size.

        Raises:
            ConfigError: the algorithm that is forced by ``FMI_TUNE`` cannot be used here.
        """
        # Sizes are rounded up to a power of two, which keeps the table small; the same on all ranks.
        bucket = 0 if not nbytes else 1 << (nbytes - 1).bit_length()
        key = _Key(collective, _OBJECT_BYTES if nbytes is None else bucket, commutative, splittable, uniform)
        choice = self._known.get(key)
        if choice is None:
            choice = self._known[key] = self._choose(key)
        return choice

    def _choose(self, key: _Key) -> Choice:
        collective, nbytes, commutative, splittable, uniform = key
        best: Choice | None = None
        best_s = float("inf")
        forced = self._tune.get(collective)
        reasons = []
        for algorithm in catalog()[collective] if forced is None else (forced[0],):
            reason = algorithm.why_not(self._size, commutative=commutative, splittable=splittable, uniform=uniform)
            if reason is not None:
                reasons.append(f"{algorithm.name}: {reason}")
                continue
            if forced is not None:
                return Choice(algorithm, algorithm.blocks(self._size, forced[1]))
            for blocks in self._cuts(algorithm, nbytes):
                time_s = seconds(algorithm, self._size, blocks, nbytes, self._model, self._cores, _BUDGET)
                if best is None or (time_s is not None and time_s < best_s):
                    best = Choice(algorithm, blocks)
                    best_s = float("inf") if time_s is None else time_s
        if best is None:
            raise ConfigError(
                f"no algorithm can be used for {collective}: {'; '.join(reasons)}; change FMI_TUNE",
                name="FMI_TUNE",
                value=collective,
            )
        return best

    def _cuts(self, algorithm: Algorithm, nbytes: int) -> Iterator[int]:
        """The numbers of blocks worth trying."""
        if algorithm.granularity is not Granularity.SEGMENTED:
            yield algorithm.blocks(self._size)
            return
        yield 1
        for segments in _SEGMENTS:
            if nbytes >= segments * _MIN_SEGMENT_BYTES:
                yield segments


def _forced(collective: str, text: str) -> tuple[Algorithm, int]:
    name, slash, segments = text.partition("/")
    if slash and not (segments.isdecimal() and int(segments) > 0):
        raise ConfigError(
            f"FMI_TUNE has {collective}:{text}; expected a number of segments after '/', such as {name}/8",
            name="FMI_TUNE",
            value=text,
        )
    return lookup(collective, name), int(segments) if slash else 8
