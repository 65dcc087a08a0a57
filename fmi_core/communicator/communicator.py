"""The communicator as users see it, put together from its parts, and its end."""

from __future__ import annotations

import warnings
from types import TracebackType
from typing import Self

from fmi_core.communicator.foreign import Foreign
from fmi_core.communicator.persistent import PersistentRequests
from fmi_core.communicator.shaping import Shaping
from fmi_core.control import Notice
from fmi_core.errors import AbortedError, FmiError, PeerLostError
from fmi_core.units import format_bytes

__all__ = ["Communicator"]


class Communicator(PersistentRequests, Shaping, Foreign):
    """N ranks that can talk to each other; :func:`fmi_core.init` gives the one of the whole job.

    Use it in a ``with`` statement: at its end all ranks come together and the channels are closed;
    if it ends by an exception, the other ranks are told and raise
    :class:`~fmi_core.errors.PeerLostError`. Not safe for use by several threads.
    """

    def Get_rank(self) -> int:
        """This rank's number, as :attr:`rank`."""
        return self.rank

    def Get_size(self) -> int:
        """The number of ranks, as :attr:`size`."""
        return self.size

    def abort(self, code: int = 1, reason: str = "abort was called") -> None:
        """End the whole job: the other ranks raise :class:`~fmi_core.errors.AbortedError`, this one exits.

        Raises:
            SystemExit: always, with ``code``.
        """
        self._engine.control.report(Notice("abort", self._engine.rank, reason, code))
        self._shut()
        raise SystemExit(code)

    def Abort(self, errorcode: int = 1) -> None:
        """As :meth:`abort`."""
        self.abort(errorcode)

    # --- the end ----------------------------------------------------------------------------------

    @property
    def closed(self) -> bool:
        """Whether :meth:`close` or ``Free`` was called, or the job failed."""
        return self._freed or self._family.closed

    def close(self) -> None:
        """Leave the job together with the other ranks, and close the channels; idempotent.

        Waits for the other ranks to close as well (at most :attr:`timeout_s`, then it leaves alone),
        so that a call which only some ranks made is noticed. All communicators that were made from this
        one are closed with it; on one of those, ``close`` is ``Free``.

        Raises:
            PeerLostError, AbortedError, MismatchError: the job broke before all ranks came to its end,
                and no call has said so yet.
        """
        if self._derived:
            self._freed = True
        if self.closed:
            return
        if self._engine.told:  # the program knows that the job is broken, and went on: nobody to meet
            self._shut()
            return
        try:
            self._engine.control.put(f"ledger/{self._engine.rank}", self.ledger.to_json())
            self._engine.finish(self.timeout_s)
            self._engine.control.leave()
            self._warn_of_unreceived()
        except FmiError as error:
            self.fail(str(error))
            raise
        finally:
            self._shut()

    def fail(self, reason: str) -> None:
        """Leave the job because this rank's program failed; the other ranks are told ``reason``. Idempotent."""
        if self._family.closed:
            return
        if self._engine.failure is None:
            rank = self._engine.rank
            self._engine.fail(PeerLostError(f"rank {rank} failed: {reason}", rank=rank, reason=f"it failed: {reason}"))
        self._shut()

    def _shut(self) -> None:
        self._family.closed = True
        self._engine.close()

    def _warn_of_unreceived(self) -> None:
        unreceived = [message for message in self._engine.matcher.unexpected() if not message.context & 1]
        if unreceived:
            first = unreceived[0]
            warnings.warn(
                f"rank {self.rank} ends with {len(unreceived)} message{'s' * (len(unreceived) > 1)} that it never "
                f"received, the first of {format_bytes(first.nbytes)} from rank {first.source} with tag {first.tag}",
                RuntimeWarning,
                stacklevel=4,
            )

    def __enter__(self) -> Self:
        self._check_open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._derived:
            self._freed = True  # an exception goes on to the program's end, which tells the others
        elif error is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
            self.close()
        elif isinstance(error, AbortedError):
            self._shut()
        else:
            self.fail(f"{type(error).__name__}: {error}")
