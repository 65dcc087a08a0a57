import json

import pytest

from fmi_core.errors import IntegrityError
from fmi_core.launch.report import Row, merge, parse, table


def row(operation="allreduce", channel="tcp", *, algorithm="ring", calls=1, moved=8, seconds=0.5):
    return Row(operation=operation, channel=channel, algorithm=algorithm, calls=calls, bytes=moved, seconds=seconds)


def test_one_row_for_each_operation_channel_and_algorithm_the_longest_first():
    rows = merge(
        {
            0: [row(calls=3, moved=10, seconds=0.25), row("bcast", algorithm="binomial", seconds=2.0)],
            1: [row(calls=2, moved=30, seconds=0.75), row(channel="unix", seconds=0.1)],
        }
    )
    assert rows == [
        row("bcast", algorithm="binomial", seconds=2.0),
        row(calls=3, moved=40, seconds=0.75),
        row(channel="unix", seconds=0.1),
    ]


def test_merging_leaves_the_ledgers_alone():
    ledgers = {0: [row()], 1: [row()]}
    merge(ledgers)
    assert ledgers == {0: [row()], 1: [row()]}


def test_ledgers_are_read_by_rank():
    values = {"ledger/11": json.dumps([row()]).encode(), "ledger/0": b"[]"}
    assert parse(values) == {11: [row()], 0: []}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ledger/0", b"junk"),
        ("ledger/0", b"7"),
        ("ledger/0", b'[{"operation": "bcast"}]'),
        ("ledger/0", json.dumps([row() | {"calls": "many"}]).encode()),
        ("ledger/0", json.dumps([row() | {"bytes": None}]).encode()),
        ("ledger/x", b"[]"),
    ],
)
def test_what_is_no_ledger_is_named(key, value):
    with pytest.raises(IntegrityError, match=key):
        parse({key: value})


def test_the_table_is_for_people():
    lines = table([row(calls=12, moved=3 * 2**20, seconds=0.0125), row("bcast")]).splitlines()
    assert lines[0].split("  ")[0] == "operation"
    assert lines[2].split() == ["allreduce", "tcp", "ring", "12", "3.0", "MiB", "12.5", "ms"]
    assert len({len(line) for line in lines[:3]}) == 1
    assert table([]) == "no operations"
