"""The namespace: its names, its errors, and the page that lists them."""

import pickle
import re
from pathlib import Path

import numpy as np
import pytest

import fmi_core as fmi
from fmi_core import MPI
from fmi_core.testing import run

PAGE = Path(__file__).parents[2] / "docs" / "mpi4py.md"


def test_the_page_has_every_name_and_no_other():
    table = PAGE.read_text(encoding="utf-8").partition("## Names")[2].partition("## Beside")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    listed = [name for row in rows for name in re.findall(r"`([A-Za-z_0-9]+)`", row)]
    assert len(listed) == len(set(listed))
    assert set(listed) == set(MPI.__all__)


def test_every_name_exists():
    assert [name for name in MPI.__all__ if not hasattr(MPI, name)] == []
    assert set(MPI.__all__) == set(dir(MPI))
    with pytest.raises(AttributeError, match="nothing"):
        _ = MPI.nothing


def test_worlds_are_those_of_the_rank():
    def program(comm):
        return MPI.COMM_WORLD is comm, MPI.COMM_SELF.size, MPI.COMM_WORLD.Get_attr(MPI.UNIVERSE_SIZE)

    assert run(3, program) == [(True, 1, 3)] * 3


@pytest.mark.parametrize(
    "use",
    [
        lambda: MPI.Win.Create(None),
        lambda: MPI.Win.Allocate_shared(8),
        lambda: MPI.File.Open(None, "x"),
        lambda: MPI.Grequest.Start(0),
        lambda: MPI.Session.Init(0),
        lambda: MPI.Intercomm(0),
        lambda: MPI.WIN_NULL.Fence(0),
        lambda: MPI.COMM_SELF.Spawn("x"),
        lambda: MPI.COMM_SELF.Spawn_multiple(["x"]),
        lambda: MPI.COMM_SELF.Create_intercomm(0, None, 1),
        lambda: MPI.COMM_SELF.Connect("x"),
        lambda: MPI.COMM_SELF.Accept("x"),
        lambda: MPI.COMM_SELF.Get_remote_size() or None,
        lambda: MPI.COMM_SELF.Get_remote_group() or None,
        lambda: MPI.Comm.Join(0),
        lambda: MPI.Comm.Create_from_group(None),
        MPI.Open_port,
        lambda: MPI.Close_port("x"),
        lambda: MPI.Publish_name("x", "y"),
        lambda: MPI.Unpublish_name("x", "y"),
        lambda: MPI.Lookup_name("x"),
        MPI.Register_datarep,
    ],
)
def test_what_is_not_offered_says_so(use):
    with pytest.raises(fmi.UnsupportedError, match=r"is not offered by fmi-core: \w+") as caught:
        use()
    assert caught.value.Get_error_class() == MPI.ERR_UNSUPPORTED_OPERATION
    assert isinstance(caught.value, MPI.Exception)


def test_errors_have_mpis_classes():
    def program(comm):
        def class_of(call):
            with pytest.raises(MPI.Exception) as caught:
                call()
            error = caught.value
            assert isinstance(error, RuntimeError)
            assert error.error_code == error.error_class == int(error) == error.Get_error_code()
            assert error.Get_error_string() == error.error_string == MPI.Get_error_string(int(error))
            return error.Get_error_class()

        comm.Send(np.zeros(9), comm.rank)
        return [
            class_of(lambda: comm.send(1, dest=7)),
            class_of(lambda: comm.send(1, dest=0, tag=-5)),
            class_of(lambda: comm.bcast(1, root=9)),
            class_of(lambda: comm.allreduce(1, op=5)),
            class_of(lambda: comm.Bcast([1, 2, "x"])),
            class_of(lambda: comm.Recv(np.zeros(1), comm.rank)),
            class_of(lambda: comm.Create_cart([99])),
        ]

    expected = [MPI.ERR_RANK, MPI.ERR_TAG, MPI.ERR_ROOT, MPI.ERR_OP]
    result = run(1, program)[0]
    assert result[:4] == expected
    assert result[5:] == [MPI.ERR_TRUNCATE, MPI.ERR_DIMS]


def test_an_exception_of_a_code():
    error = MPI.Exception(MPI.ERR_RANK)
    assert str(error) == "MPI_ERR_RANK: invalid rank"
    assert error.Get_error_class() == MPI.ERR_RANK
    assert pickle.loads(pickle.dumps(error)).Get_error_class() == MPI.ERR_RANK
    assert MPI.Get_error_class(MPI.ERR_TAG) == MPI.ERR_TAG
    assert MPI.Get_error_string(10**6) == "MPI_ERR_UNKNOWN: unknown error"
    assert MPI.Add_error_class() < MPI.Add_error_code(0)


@pytest.mark.parametrize("commute", [True, False])
@pytest.mark.parametrize("channel", ["memory"])
def test_operators_are_called_as_mpi4py_calls_them(commute, channel):
    def program(comm):
        def matrices(a, b, datatype):
            if datatype is None:
                return a + b
            assert datatype == MPI.DOUBLE
            x, y = np.frombuffer(a).reshape(2, 2), np.frombuffer(b).reshape(2, 2)
            y[:] = x + y if commute else x @ y
            return None

        op = MPI.Op.Create(matrices, commute)
        assert op.Is_commutative() == op.is_commutative == commute
        assert not op.is_predefined
        mine = np.array([[1.0, comm.rank], [2.0, 1.0]])
        result, kept = np.empty((2, 2)), mine.copy()
        comm.Allreduce(mine, result, op)
        assert (mine == kept).all()
        text = comm.allreduce(str(comm.rank), op)
        op.Free()
        return result, text

    whole = [np.array([[1.0, rank], [2.0, 1.0]]) for rank in range(5)]
    expected = sum(whole) if commute else np.linalg.multi_dot(whole)
    for result, text in run(5, program, channel=channel):
        assert np.allclose(result, expected)
        assert text == "01234"


def test_special_operators():
    assert not MPI.OP_NULL
    assert MPI.SUM.is_predefined
    for op in (MPI.REPLACE, MPI.NO_OP, MPI.OP_NULL):
        assert pickle.loads(pickle.dumps(op)) is op
        with pytest.raises(MPI.Exception, match=op.name):
            MPI.COMM_SELF.Allreduce(np.zeros(1), np.zeros(1), op)
    assert (MPI.REPLACE(1, 2), MPI.NO_OP(1, 2)) == (2, 1)
    with pytest.raises(MPI.Exception, match="OP_NULL"):
        MPI.OP_NULL(1, 2)


def test_attributes_handlers_and_hints():
    comm = MPI.COMM_SELF
    assert comm.Get_attr(MPI.TAG_UB) == fmi.TAG_UB
    assert comm.Get_attr(MPI.APPNUM) is None
    key = MPI.Comm.Create_keyval()
    assert comm.Get_attr(key) is None
    comm.Set_attr(key, "mine")
    assert comm.Get_attr(key) == "mine"
    comm.Delete_attr(key)
    assert comm.Get_attr(key) is None
    assert MPI.Comm.Free_keyval(key) == MPI.KEYVAL_INVALID
    with pytest.raises(MPI.Exception, match="Create_keyval"):
        comm.Set_attr(MPI.TAG_UB, 1)
    assert comm.Get_errhandler() is MPI.ERRORS_RETURN
    comm.Set_errhandler(MPI.ERRORS_ARE_FATAL)
    assert comm.Get_errhandler() is MPI.ERRORS_ARE_FATAL
    assert not MPI.ERRHANDLER_NULL
    hints = MPI.Info.Create()
    hints.Set("a", "b")
    comm.info = hints
    hints.Free()
    assert comm.info.Get("a") == "b"
    assert (comm.Get_info().Get_nkeys(), comm.Get_info().Get_nthkey(0)) == (1, "a")
    with pytest.raises(MPI.Exception, match="no hint 'c'"):
        comm.Get_info().Delete("c")
    assert MPI.Comm.Get_parent() == MPI.COMM_NULL


def test_the_program_and_the_machine():
    assert MPI.Is_initialized()
    assert not MPI.Is_finalized()
    assert MPI.Init_thread() == MPI.Query_thread() == MPI.THREAD_SERIALIZED
    assert MPI.Is_thread_main()
    assert MPI.Get_version() == (MPI.VERSION, MPI.SUBVERSION)
    assert MPI.Get_library_version() == f"fmi-core {fmi.__version__}"
    assert MPI.Get_processor_name()
    assert MPI.Wtime() <= MPI.Wtime()
    assert 0 < MPI.Wtick() < 1
    assert MPI.Compute_dims(12, 2) == [4, 3]


def test_memory():
    memory = MPI.Alloc_mem(8)
    np.frombuffer(memory, "i4")[:] = 7
    assert bytes(memory[:1]) == b"\x07"
    MPI.Free_mem(memory)
    array = np.arange(4, dtype="u1")
    view = MPI.buffer.fromaddress(MPI.Get_address(array), 4)
    assert bytes(view) == bytes(MPI.buffer(array)) == b"\0\1\2\3"
    assert MPI.buffer.frombuffer(array, readonly=True).readonly
    assert len(MPI.memory.allocate(5)) == 5
    assert MPI.Aint_diff(MPI.Aint_add(5, 3), 5) == 3


def test_pickle():
    assert MPI.pickle.loads(MPI.pickle.dumps({"a": 1})) == {"a": 1}
