from __future__ import annotations

from fmi_core.collectives import Local, Recv, Send, Side


def test_a_receive_stores_unless_it_is_told_to_fold():
    assert Recv(3, range(2)).fold is None
    assert Recv(3, range(2), Side.LEFT).fold is Side.LEFT


def test_local_work_copies_unless_it_is_told_to_fold():
    assert Local(dst=1, src=0).fold is None


def test_steps_are_values():
    assert Send((1, 2), range(3)) == Send((1, 2), range(3))
    assert len({Send((1,), ()), Send((1,), ()), Recv(1, ())}) == 2
