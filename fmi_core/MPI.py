"""The names of ``mpi4py.MPI``, over fmi-core: ``from fmi_core import MPI`` instead of ``from mpi4py import MPI``.

``COMM_WORLD`` joins the job when it is first asked for; where ranks are threads, each gets its own. The page
"Programs for mpi4py" says what is supported, what differs, and what is not offered.
"""

from __future__ import annotations

from typing import Any

from fmi_core.channels.matching import ANY_SOURCE, ANY_TAG
from fmi_core.codes import NUMBERS as _ERRORS
from fmi_core.communicator import Communicator as Comm
from fmi_core.communicator.foreign import ATTRIBUTES as _KEYS
from fmi_core.communicator.foreign import ERRORS_RETURN, Errhandler, Info
from fmi_core.communicator.graphs import DIST_GRAPH, GRAPH, Distgraphcomm, Graphcomm
from fmi_core.communicator.group import CONGRUENT, GROUP_EMPTY, IDENT, SIMILAR, UNEQUAL, Group
from fmi_core.communicator.making import COMM_TYPE_HWTHREAD, COMM_TYPE_RESOURCE_GUIDED, COMM_TYPE_SHARED
from fmi_core.communicator.matched import MESSAGE_NO_PROC, MESSAGE_NULL, Message
from fmi_core.communicator.null import COMM_NULL
from fmi_core.communicator.requests import REQUEST_NULL, Prequest, Request
from fmi_core.communicator.status import PROC_NULL, UNDEFINED, Status
from fmi_core.communicator.topology import CART, Cartcomm, Topocomm
from fmi_core.datatypes import (
    AINT,
    BOOL,
    BYTE,
    C_BOOL,
    C_COMPLEX,
    C_DOUBLE_COMPLEX,
    C_FLOAT_COMPLEX,
    C_LONG_DOUBLE_COMPLEX,
    CHAR,
    CHARACTER,
    COMPLEX,
    COMPLEX8,
    COMPLEX16,
    COMPLEX32,
    COUNT,
    CXX_BOOL,
    CXX_DOUBLE_COMPLEX,
    CXX_FLOAT_COMPLEX,
    CXX_LONG_DOUBLE_COMPLEX,
    DATATYPE_NULL,
    DOUBLE,
    DOUBLE_COMPLEX,
    DOUBLE_INT,
    DOUBLE_PRECISION,
    F_BOOL,
    F_COMPLEX,
    F_DOUBLE,
    F_DOUBLE_COMPLEX,
    F_FLOAT,
    F_FLOAT_COMPLEX,
    F_INT,
    FLOAT,
    FLOAT_INT,
    INT,
    INT8_T,
    INT16_T,
    INT32_T,
    INT64_T,
    INT_INT,
    INTEGER,
    INTEGER1,
    INTEGER2,
    INTEGER4,
    INTEGER8,
    INTEGER16,
    LOGICAL,
    LOGICAL1,
    LOGICAL2,
    LOGICAL4,
    LOGICAL8,
    LONG,
    LONG_DOUBLE,
    LONG_DOUBLE_INT,
    LONG_INT,
    LONG_LONG,
    OFFSET,
    ORDER_C,
    ORDER_F,
    ORDER_FORTRAN,
    PACKED,
    REAL,
    REAL2,
    REAL4,
    REAL8,
    REAL16,
    SHORT,
    SHORT_INT,
    SIGNED_CHAR,
    SIGNED_INT,
    SIGNED_LONG,
    SIGNED_LONG_LONG,
    SIGNED_SHORT,
    SINT8_T,
    SINT16_T,
    SINT32_T,
    SINT64_T,
    TWOINT,
    UINT8_T,
    UINT16_T,
    UINT32_T,
    UINT64_T,
    UNSIGNED,
    UNSIGNED_CHAR,
    UNSIGNED_INT,
    UNSIGNED_LONG,
    UNSIGNED_LONG_LONG,
    UNSIGNED_SHORT,
    WCHAR,
    Datatype,
)  # fmt: skip
from fmi_core.datatypes import typedict as _typedict_of
from fmi_core.errors import FmiError as Exception  # mpi4py's name
from fmi_core.facade.environment import (
    THREAD_FUNNELED,
    THREAD_MULTIPLE,
    THREAD_SERIALIZED,
    THREAD_SINGLE,
    Aint_add,
    Aint_diff,
    Alloc_mem,
    Attach_buffer,
    Close_port,
    Compute_dims,
    Detach_buffer,
    Finalize,
    Free_mem,
    Get_address,
    Get_error_class,
    Get_error_string,
    Get_hw_resource_info,
    Get_library_version,
    Get_processor_name,
    Get_version,
    Init,
    Init_thread,
    Is_finalized,
    Is_initialized,
    Is_thread_main,
    Lookup_name,
    Open_port,
    Pcontrol,
    Pickle,
    Publish_name,
    Query_thread,
    Register_datarep,
    Unpublish_name,
    Wtick,
    Wtime,
    buffer,
)  # fmt: skip
from fmi_core.facade.environment import world as _world
from fmi_core.facade.unsupported import File, Grequest, Intercomm, Null, Session, Win
from fmi_core.ops import (
    BAND,
    BOR,
    BXOR,
    LAND,
    LOR,
    LXOR,
    MAX,
    MAXLOC,
    MIN,
    MINLOC,
    NO_OP,
    OP_NULL,
    PROD,
    REPLACE,
    SUM,
    Op,
)  # fmt: skip
from fmi_core.payload import IN_PLACE

__all__ = [
    "AINT", "ANY_SOURCE", "ANY_TAG", "APPNUM", "ARGVS_NULL", "ARGV_NULL", "Add_error_class", "Add_error_code",
    "Add_error_string", "Aint_add", "Aint_diff", "Alloc_mem", "Attach_buffer", "BAND", "BOOL", "BOR", "BOTTOM",
    "BSEND_OVERHEAD", "BUFFER_AUTOMATIC", "BXOR", "BYTE", "CART", "CHAR", "CHARACTER", "COMBINER_CONTIGUOUS",
    "COMBINER_DUP", "COMBINER_HINDEXED", "COMBINER_HVECTOR", "COMBINER_INDEXED", "COMBINER_INDEXED_BLOCK",
    "COMBINER_NAMED", "COMBINER_RESIZED", "COMBINER_STRUCT", "COMBINER_SUBARRAY", "COMBINER_VECTOR", "COMM_NULL",
    "COMM_SELF", "COMM_TYPE_HWTHREAD", "COMM_TYPE_HW_GUIDED", "COMM_TYPE_HW_UNGUIDED", "COMM_TYPE_RESOURCE_GUIDED",
    "COMM_TYPE_SHARED", "COMM_WORLD", "COMPLEX", "COMPLEX16", "COMPLEX32", "COMPLEX8", "CONGRUENT", "COUNT",
    "CXX_BOOL", "CXX_DOUBLE_COMPLEX", "CXX_FLOAT_COMPLEX", "CXX_LONG_DOUBLE_COMPLEX", "C_BOOL", "C_COMPLEX",
    "C_DOUBLE_COMPLEX", "C_FLOAT_COMPLEX", "C_LONG_DOUBLE_COMPLEX", "Cartcomm", "Close_port", "Comm",
    "Compute_dims", "DATATYPE_NULL", "DISPLACEMENT_CURRENT", "DISTRIBUTE_BLOCK", "DISTRIBUTE_CYCLIC",
    "DISTRIBUTE_DFLT_DARG", "DISTRIBUTE_NONE", "DIST_GRAPH", "DOUBLE", "DOUBLE_COMPLEX", "DOUBLE_INT",
    "DOUBLE_PRECISION", "Datatype", "Detach_buffer", "Distgraphcomm", "ERRCODES_IGNORE", "ERRHANDLER_NULL",
    "ERRORS_ABORT", "ERRORS_ARE_FATAL", "ERRORS_RETURN", "ERR_ACCESS", "ERR_AMODE", "ERR_ARG", "ERR_ASSERT",
    "ERR_BAD_FILE", "ERR_BASE", "ERR_BUFFER", "ERR_COMM", "ERR_CONVERSION", "ERR_COUNT", "ERR_DIMS", "ERR_DISP",
    "ERR_DUP_DATAREP", "ERR_ERRHANDLER", "ERR_FILE", "ERR_FILE_EXISTS", "ERR_FILE_IN_USE", "ERR_GROUP", "ERR_INFO",
    "ERR_INFO_KEY", "ERR_INFO_NOKEY", "ERR_INFO_VALUE", "ERR_INTERN", "ERR_IN_STATUS", "ERR_IO", "ERR_KEYVAL",
    "ERR_LASTCODE", "ERR_LOCKTYPE", "ERR_NAME", "ERR_NOT_SAME", "ERR_NO_MEM", "ERR_NO_SPACE", "ERR_NO_SUCH_FILE",
    "ERR_OP", "ERR_OTHER", "ERR_PENDING", "ERR_PORT", "ERR_PROC_ABORTED", "ERR_PROC_FAILED",
    "ERR_PROC_FAILED_PENDING", "ERR_QUOTA", "ERR_RANK", "ERR_READ_ONLY", "ERR_REQUEST", "ERR_REVOKED",
    "ERR_RMA_ATTACH", "ERR_RMA_CONFLICT", "ERR_RMA_FLAVOR", "ERR_RMA_RANGE", "ERR_RMA_SHARED", "ERR_RMA_SYNC",
    "ERR_ROOT", "ERR_SERVICE", "ERR_SESSION", "ERR_SIZE", "ERR_SPAWN", "ERR_TAG", "ERR_TOPOLOGY", "ERR_TRUNCATE",
    "ERR_TYPE", "ERR_UNKNOWN", "ERR_UNSUPPORTED_DATAREP", "ERR_UNSUPPORTED_OPERATION", "ERR_VALUE_TOO_LARGE",
    "ERR_WIN", "Errhandler", "Exception", "FILE_NULL", "FLOAT", "FLOAT_INT", "F_BOOL", "F_COMPLEX", "F_DOUBLE",
    "F_DOUBLE_COMPLEX", "F_FLOAT", "F_FLOAT_COMPLEX", "F_INT", "File", "Finalize", "Free_mem", "GRAPH",
    "GROUP_EMPTY", "GROUP_NULL", "Get_address", "Get_error_class", "Get_error_string", "Get_hw_resource_info",
    "Get_library_version", "Get_processor_name", "Get_version", "Graphcomm", "Grequest", "Group", "HOST", "IDENT",
    "INFO_ENV", "INFO_NULL", "INT", "INT16_T", "INT32_T", "INT64_T", "INT8_T", "INTEGER", "INTEGER1", "INTEGER16",
    "INTEGER2", "INTEGER4", "INTEGER8", "INT_INT", "IN_PLACE", "IO", "Info", "Init", "Init_thread", "Intercomm",
    "Intracomm", "Is_finalized", "Is_initialized", "Is_thread_main", "KEYVAL_INVALID", "LAND", "LASTUSEDCODE",
    "LOCK_EXCLUSIVE", "LOCK_SHARED", "LOGICAL", "LOGICAL1", "LOGICAL2", "LOGICAL4", "LOGICAL8", "LONG",
    "LONG_DOUBLE", "LONG_DOUBLE_INT", "LONG_INT", "LONG_LONG", "LOR", "LXOR", "Lookup_name", "MAX", "MAXLOC",
    "MAX_ERROR_STRING", "MAX_INFO_KEY", "MAX_INFO_VAL", "MAX_LIBRARY_VERSION_STRING", "MAX_OBJECT_NAME",
    "MAX_PORT_NAME", "MAX_PROCESSOR_NAME", "MESSAGE_NO_PROC", "MESSAGE_NULL", "MIN", "MINLOC", "MODE_APPEND",
    "MODE_CREATE", "MODE_DELETE_ON_CLOSE", "MODE_EXCL", "MODE_NOCHECK", "MODE_NOPRECEDE", "MODE_NOPUT",
    "MODE_NOSTORE", "MODE_NOSUCCEED", "MODE_RDONLY", "MODE_RDWR", "MODE_SEQUENTIAL", "MODE_UNIQUE_OPEN",
    "MODE_WRONLY", "Message", "NO_OP", "OFFSET", "OP_NULL", "ORDER_C", "ORDER_F", "ORDER_FORTRAN", "Op",
    "Open_port", "PACKED", "PROC_NULL", "PROD", "Pcontrol", "Pickle", "Prequest", "Publish_name", "Query_thread",
    "REAL", "REAL16", "REAL2", "REAL4", "REAL8", "REPLACE", "REQUEST_NULL", "ROOT", "Register_datarep", "Request",
    "SEEK_CUR", "SEEK_END", "SEEK_SET", "SESSION_NULL", "SHORT", "SHORT_INT", "SIGNED_CHAR", "SIGNED_INT",
    "SIGNED_LONG", "SIGNED_LONG_LONG", "SIGNED_SHORT", "SIMILAR", "SINT16_T", "SINT32_T", "SINT64_T", "SINT8_T",
    "STATUSES_IGNORE", "STATUS_IGNORE", "SUBVERSION", "SUCCESS", "SUM", "Session", "Status", "TAG_UB",
    "THREAD_FUNNELED", "THREAD_MULTIPLE", "THREAD_SERIALIZED", "THREAD_SINGLE", "TWOINT", "Topocomm", "UINT16_T",
    "UINT32_T", "UINT64_T", "UINT8_T", "UNDEFINED", "UNEQUAL", "UNIVERSE_SIZE", "UNSIGNED", "UNSIGNED_CHAR",
    "UNSIGNED_INT", "UNSIGNED_LONG", "UNSIGNED_LONG_LONG", "UNSIGNED_SHORT", "UNWEIGHTED", "Unpublish_name",
    "VERSION", "WCHAR", "WEIGHTS_EMPTY", "WIN_BASE", "WIN_CREATE_FLAVOR", "WIN_DISP_UNIT", "WIN_FLAVOR_ALLOCATE",
    "WIN_FLAVOR_CREATE", "WIN_FLAVOR_DYNAMIC", "WIN_FLAVOR_SHARED", "WIN_MODEL", "WIN_NULL", "WIN_SEPARATE",
    "WIN_SIZE", "WIN_UNIFIED", "WTIME_IS_GLOBAL", "Win", "Wtick", "Wtime", "buffer", "memory", "pickle",
]  # fmt: skip

COMM_WORLD: Comm
"""All ranks of the job; the first use joins it."""
COMM_SELF: Comm
"""This rank alone."""
Intracomm = Comm
memory = buffer
pickle = Pickle()

# --- errors ---------------------------------------------------------------------------------------

SUCCESS = _ERRORS["SUCCESS"]
ERR_BUFFER = _ERRORS["ERR_BUFFER"]
ERR_COUNT = _ERRORS["ERR_COUNT"]
ERR_TYPE = _ERRORS["ERR_TYPE"]
ERR_TAG = _ERRORS["ERR_TAG"]
ERR_COMM = _ERRORS["ERR_COMM"]
ERR_RANK = _ERRORS["ERR_RANK"]
ERR_ROOT = _ERRORS["ERR_ROOT"]
ERR_GROUP = _ERRORS["ERR_GROUP"]
ERR_OP = _ERRORS["ERR_OP"]
ERR_TOPOLOGY = _ERRORS["ERR_TOPOLOGY"]
ERR_DIMS = _ERRORS["ERR_DIMS"]
ERR_ARG = _ERRORS["ERR_ARG"]
ERR_UNKNOWN = _ERRORS["ERR_UNKNOWN"]
ERR_TRUNCATE = _ERRORS["ERR_TRUNCATE"]
ERR_OTHER = _ERRORS["ERR_OTHER"]
ERR_INTERN = _ERRORS["ERR_INTERN"]
ERR_IN_STATUS = _ERRORS["ERR_IN_STATUS"]
ERR_PENDING = _ERRORS["ERR_PENDING"]
ERR_REQUEST = _ERRORS["ERR_REQUEST"]
ERR_ACCESS = _ERRORS["ERR_ACCESS"]
ERR_AMODE = _ERRORS["ERR_AMODE"]
ERR_BAD_FILE = _ERRORS["ERR_BAD_FILE"]
ERR_CONVERSION = _ERRORS["ERR_CONVERSION"]
ERR_DUP_DATAREP = _ERRORS["ERR_DUP_DATAREP"]
ERR_FILE_EXISTS = _ERRORS["ERR_FILE_EXISTS"]
ERR_FILE_IN_USE = _ERRORS["ERR_FILE_IN_USE"]
ERR_FILE = _ERRORS["ERR_FILE"]
ERR_IO = _ERRORS["ERR_IO"]
ERR_NO_SPACE = _ERRORS["ERR_NO_SPACE"]
ERR_NO_SUCH_FILE = _ERRORS["ERR_NO_SUCH_FILE"]
ERR_READ_ONLY = _ERRORS["ERR_READ_ONLY"]
ERR_UNSUPPORTED_DATAREP = _ERRORS["ERR_UNSUPPORTED_DATAREP"]
ERR_INFO = _ERRORS["ERR_INFO"]
ERR_INFO_KEY = _ERRORS["ERR_INFO_KEY"]
ERR_INFO_VALUE = _ERRORS["ERR_INFO_VALUE"]
ERR_INFO_NOKEY = _ERRORS["ERR_INFO_NOKEY"]
ERR_NAME = _ERRORS["ERR_NAME"]
ERR_NO_MEM = _ERRORS["ERR_NO_MEM"]
ERR_NOT_SAME = _ERRORS["ERR_NOT_SAME"]
ERR_PORT = _ERRORS["ERR_PORT"]
ERR_QUOTA = _ERRORS["ERR_QUOTA"]
ERR_SERVICE = _ERRORS["ERR_SERVICE"]
ERR_SPAWN = _ERRORS["ERR_SPAWN"]
ERR_UNSUPPORTED_OPERATION = _ERRORS["ERR_UNSUPPORTED_OPERATION"]
ERR_WIN = _ERRORS["ERR_WIN"]
ERR_BASE = _ERRORS["ERR_BASE"]
ERR_LOCKTYPE = _ERRORS["ERR_LOCKTYPE"]
ERR_KEYVAL = _ERRORS["ERR_KEYVAL"]
ERR_RMA_CONFLICT = _ERRORS["ERR_RMA_CONFLICT"]
ERR_RMA_SYNC = _ERRORS["ERR_RMA_SYNC"]
ERR_SIZE = _ERRORS["ERR_SIZE"]
ERR_DISP = _ERRORS["ERR_DISP"]
ERR_ASSERT = _ERRORS["ERR_ASSERT"]
ERR_RMA_RANGE = _ERRORS["ERR_RMA_RANGE"]
ERR_RMA_ATTACH = _ERRORS["ERR_RMA_ATTACH"]
ERR_RMA_SHARED = _ERRORS["ERR_RMA_SHARED"]
ERR_RMA_FLAVOR = _ERRORS["ERR_RMA_FLAVOR"]
ERR_SESSION = _ERRORS["ERR_SESSION"]
ERR_PROC_ABORTED = _ERRORS["ERR_PROC_ABORTED"]
ERR_VALUE_TOO_LARGE = _ERRORS["ERR_VALUE_TOO_LARGE"]
ERR_ERRHANDLER = _ERRORS["ERR_ERRHANDLER"]
ERR_PROC_FAILED = _ERRORS["ERR_PROC_FAILED"]
ERR_PROC_FAILED_PENDING = _ERRORS["ERR_PROC_FAILED_PENDING"]
ERR_REVOKED = _ERRORS["ERR_REVOKED"]
ERR_LASTCODE = _ERRORS["ERR_LASTCODE"]
ERRHANDLER_NULL = Errhandler()
ERRORS_ARE_FATAL = Errhandler("ERRORS_ARE_FATAL")
ERRORS_ABORT = Errhandler("ERRORS_ABORT")


def Add_error_class() -> int:
    """A new error class."""
    return next(_new_codes)


def Add_error_code(errorclass: int) -> int:
    """A new error code, which is a class too."""
    del errorclass
    return next(_new_codes)


def Add_error_string(errorcode: int, string: str) -> None:
    """Nothing: new codes have no text of their own."""


_new_codes = iter(range(ERR_LASTCODE + 1, 2**31))

# --- constants ------------------------------------------------------------------------------------

ROOT = -3


class _Bottom:
    """The type of :data:`BOTTOM`."""

    def __repr__(self) -> str:
        return "fmi.BOTTOM"

    def __reduce__(self) -> str:
        return "BOTTOM"


BOTTOM = _Bottom()
"""The beginning of all memory; buffers at absolute addresses are not offered."""
INFO_NULL = Info()
INFO_ENV = Info()
GROUP_NULL = Group()
WIN_NULL = Null("WIN_NULL", Win)
FILE_NULL = Null("FILE_NULL", File)
SESSION_NULL = Null("SESSION_NULL", Session)
COMM_TYPE_HW_GUIDED = 4
COMM_TYPE_HW_UNGUIDED = 5
KEYVAL_INVALID = 0
TAG_UB = _KEYS["TAG_UB"]
IO = _KEYS["IO"]
HOST = _KEYS["HOST"]
WTIME_IS_GLOBAL = _KEYS["WTIME_IS_GLOBAL"]
UNIVERSE_SIZE = _KEYS["UNIVERSE_SIZE"]
APPNUM = _KEYS["APPNUM"]
LASTUSEDCODE = _KEYS["LASTUSEDCODE"]
VERSION, SUBVERSION = Get_version()
BSEND_OVERHEAD = 0
MAX_PROCESSOR_NAME = 256
MAX_ERROR_STRING = 512
MAX_LIBRARY_VERSION_STRING = 256
MAX_OBJECT_NAME = 128
MAX_INFO_KEY = 255
MAX_INFO_VAL = 1024
MAX_PORT_NAME = 1024
STATUS_IGNORE = None
STATUSES_IGNORE = None
UNWEIGHTED = None
WEIGHTS_EMPTY: tuple[int, ...] = ()
ARGV_NULL = None
ARGVS_NULL = None
ERRCODES_IGNORE = None
BUFFER_AUTOMATIC = None

# --- constants of what is not offered, so that programs can be read ---------------------------------

LOCK_EXCLUSIVE = 1
LOCK_SHARED = 2
MODE_NOCHECK = 1024
MODE_NOPRECEDE = 2048
MODE_NOPUT = 4096
MODE_NOSTORE = 8192
MODE_NOSUCCEED = 16384
MODE_CREATE = 1
MODE_RDONLY = 2
MODE_WRONLY = 4
MODE_RDWR = 8
MODE_DELETE_ON_CLOSE = 16
MODE_UNIQUE_OPEN = 32
MODE_EXCL = 64
MODE_APPEND = 128
MODE_SEQUENTIAL = 256
SEEK_SET = 0
SEEK_CUR = 1
SEEK_END = 2
DISPLACEMENT_CURRENT = -54278278
WIN_BASE, WIN_SIZE, WIN_DISP_UNIT, WIN_CREATE_FLAVOR, WIN_MODEL = range(11, 16)
WIN_FLAVOR_CREATE, WIN_FLAVOR_ALLOCATE, WIN_FLAVOR_DYNAMIC, WIN_FLAVOR_SHARED = range(1, 5)
WIN_SEPARATE, WIN_UNIFIED = 1, 2
DISTRIBUTE_BLOCK, DISTRIBUTE_CYCLIC, DISTRIBUTE_NONE = 121, 122, 123
DISTRIBUTE_DFLT_DARG = -49767
(
    COMBINER_NAMED,
    COMBINER_DUP,
    COMBINER_CONTIGUOUS,
    COMBINER_VECTOR,
    COMBINER_HVECTOR,
    COMBINER_INDEXED,
    COMBINER_HINDEXED,
    COMBINER_INDEXED_BLOCK,
    COMBINER_SUBARRAY,
    COMBINER_STRUCT,
    COMBINER_RESIZED,
) = range(1, 12)


def __getattr__(name: str) -> Any:
    if name == "COMM_WORLD":
        return _world()
    if name == "COMM_SELF":
        return _world().alone()
    if name == "_typedict":
        return _typedict_of()
    raise AttributeError(f"module 'fmi_core.MPI' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
