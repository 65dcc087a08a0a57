"""MPI's error classes: their names, their numbers, and a sentence for each.

An error code is its class: none is finer. Numbers differ from one MPI to the next; compare names.
"""

from __future__ import annotations

__all__ = ["NUMBERS", "TEXTS", "number_of", "text_of"]

TEXTS = {
    "SUCCESS": "no error",
    "ERR_BUFFER": "invalid buffer",
    "ERR_COUNT": "invalid count",
    "ERR_TYPE": "invalid datatype",
    "ERR_TAG": "invalid tag",
    "ERR_COMM": "invalid communicator",
    "ERR_RANK": "invalid rank",
    "ERR_ROOT": "invalid root",
    "ERR_GROUP": "invalid group",
    "ERR_OP": "invalid reduction operator",
    "ERR_TOPOLOGY": "invalid topology",
    "ERR_DIMS": "invalid dimensions",
    "ERR_ARG": "invalid argument",
    "ERR_UNKNOWN": "unknown error",
    "ERR_TRUNCATE": "message truncated",
    "ERR_OTHER": "known error that is not in this list",
    "ERR_INTERN": "internal error",
    "ERR_IN_STATUS": "the error code is in the status",
    "ERR_PENDING": "pending request",
    "ERR_REQUEST": "invalid request",
    "ERR_ACCESS": "permission denied",
    "ERR_AMODE": "invalid access mode",
    "ERR_BAD_FILE": "invalid file name",
    "ERR_CONVERSION": "error in a data conversion function",
    "ERR_DUP_DATAREP": "data representation already defined",
    "ERR_FILE_EXISTS": "file exists",
    "ERR_FILE_IN_USE": "file in use",
    "ERR_FILE": "invalid file",
    "ERR_IO": "input/output error",
    "ERR_NO_SPACE": "not enough space",
    "ERR_NO_SUCH_FILE": "no such file",
    "ERR_READ_ONLY": "read-only file",
    "ERR_UNSUPPORTED_DATAREP": "unsupported data representation",
    "ERR_INFO": "invalid info",
    "ERR_INFO_KEY": "invalid info key",
    "ERR_INFO_VALUE": "invalid info value",
    "ERR_INFO_NOKEY": "info key not defined",
    "ERR_NAME": "service name not published",
    "ERR_NO_MEM": "out of memory",
    "ERR_NOT_SAME": "ranks disagree on an argument",
    "ERR_PORT": "invalid port name",
    "ERR_QUOTA": "quota exceeded",
    "ERR_SERVICE": "invalid service name",
    "ERR_SPAWN": "processes could not be spawned",
    "ERR_UNSUPPORTED_OPERATION": "unsupported operation",
    "ERR_WIN": "invalid window",
    "ERR_BASE": "invalid base address",
    "ERR_LOCKTYPE": "invalid lock type",
    "ERR_KEYVAL": "invalid attribute key",
    "ERR_RMA_CONFLICT": "conflicting accesses to a window",
    "ERR_RMA_SYNC": "wrong synchronization of a window",
    "ERR_SIZE": "invalid size",
    "ERR_DISP": "invalid displacement",
    "ERR_ASSERT": "invalid assertion",
    "ERR_RMA_RANGE": "target memory is not in the window",
    "ERR_RMA_ATTACH": "memory cannot be attached",
    "ERR_RMA_SHARED": "memory cannot be shared",
    "ERR_RMA_FLAVOR": "the window is of another kind",
    "ERR_SESSION": "invalid session",
    "ERR_PROC_ABORTED": "a peer process has aborted",
    "ERR_VALUE_TOO_LARGE": "the value is too large",
    "ERR_ERRHANDLER": "invalid error handler",
    "ERR_PROC_FAILED": "a peer process has failed",
    "ERR_PROC_FAILED_PENDING": "a peer process has failed, the request is pending",
    "ERR_REVOKED": "the communicator was revoked",
    "ERR_LASTCODE": "the last error code",
}
"""A sentence for each error class, by its name without ``MPI_``."""

NUMBERS = {name: number for number, name in enumerate(TEXTS)}
"""The number of each error class."""
_NAMES = list(TEXTS)

_BY_ARGUMENT = {
    "ERR_BUFFER": ("buf", "sendbuf", "recvbuf", "inbuf", "inoutbuf"),
    "ERR_COUNT": ("count", "counts", "recvcounts", "blocks"),
    "ERR_TYPE": ("datatype", "dtype", "subsizes", "extent", "lb"),
    "ERR_TAG": ("tag", "sendtag", "recvtag"),
    "ERR_COMM": ("comm",),
    "ERR_RANK": ("rank", "ranks", "source", "dest", "sources", "destinations"),
    "ERR_ROOT": ("root",),
    "ERR_GROUP": ("group",),
    "ERR_OP": ("op",),
    "ERR_DIMS": ("dims",),
    "ERR_TOPOLOGY": ("index",),
    "ERR_REQUEST": ("request", "message"),
    "ERR_DISP": ("displacements", "displs"),
}
_CLASS_OF_ARGUMENT = {argument: name for name, arguments in _BY_ARGUMENT.items() for argument in arguments}
_CLASS_OF_ERROR = {
    "ArgumentError": "ERR_ARG",
    "ConfigError": "ERR_ARG",
    "TruncationError": "ERR_TRUNCATE",
    "RendezvousError": "ERR_OTHER",
    "ChannelError": "ERR_OTHER",
    "PeerLostError": "ERR_PROC_FAILED",
    "AbortedError": "ERR_PROC_ABORTED",
    "MismatchError": "ERR_NOT_SAME",
    "DeadlineExceeded": "ERR_PENDING",
    "UnsupportedError": "ERR_UNSUPPORTED_OPERATION",
    "IntegrityError": "ERR_INTERN",
}


def number_of(error: str, argument: str = "") -> int:
    """The error class of an error whose class is called ``error``, about ``argument``."""
    if error == "ArgumentError" and argument in _CLASS_OF_ARGUMENT:
        return NUMBERS[_CLASS_OF_ARGUMENT[argument]]
    return NUMBERS[_CLASS_OF_ERROR.get(error, "ERR_OTHER")]


def text_of(number: int) -> str:
    """MPI's name for an error class and a sentence, such as ``MPI_ERR_RANK: invalid rank``."""
    name = _NAMES[number] if 0 <= number < len(_NAMES) else "ERR_UNKNOWN"
    return f"MPI_{name}: {TEXTS[name]}"
