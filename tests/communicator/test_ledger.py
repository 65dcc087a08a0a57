"""The ledger counts, and can be read by people and by programs."""

from __future__ import annotations

import json

from fmi_core.communicator.ledger import Entry, Ledger, render


def filled():
    ledger = Ledger()
    ledger.record("allreduce", "tcp", "ring", 100, 0.5)
    ledger.record("allreduce", "tcp", "ring", 100, 0.25)
    ledger.record("send", "tcp", "", 2048, 1.5)
    return ledger


def test_calls_of_one_kind_are_added_up_and_the_longest_comes_first():
    first, second = filled().entries
    assert (first.operation, first.calls, first.bytes, first.seconds) == ("send", 1, 2048, 1.5)
    assert (second.algorithm, second.calls, second.bytes, second.seconds) == ("ring", 2, 200, 0.75)


def test_the_json_has_every_field():
    assert json.loads(filled().to_json())[1] == {
        "operation": "allreduce",
        "channel": "tcp",
        "algorithm": "ring",
        "calls": 2,
        "bytes": 200,
        "seconds": 0.75,
    }


def test_the_table_has_units():
    lines = filled().table().splitlines()
    assert lines[0].split("  ")[0] == "operation"
    assert lines[2].split() == ["send", "tcp", "–", "1", "2.0", "KiB", "1.5", "s"]
    assert "750.0 ms" in lines[3]
    assert render([]).splitlines()[0].startswith("operation")


def test_entries_differ_by_operation_channel_and_algorithm():
    ledger = Ledger()
    for key in (
        ("send", "tcp", ""),
        ("send", "unix", ""),
        ("recv", "tcp", ""),
        ("send", "tcp", "x"),
        ("send", "tcp", ""),
    ):
        ledger.record(*key, 1, 0.0)
    assert [(e.operation, e.channel, e.algorithm, e.calls) for e in ledger.entries] == [
        ("send", "tcp", "", 2), ("send", "unix", "", 1), ("recv", "tcp", "", 1), ("send", "tcp", "x", 1),
    ]  # fmt: skip


def test_an_empty_ledger_can_be_read():
    assert Ledger().entries == []
    assert json.loads(Ledger().to_json()) == []
    assert len(Ledger().table().splitlines()) == 2


def test_names_that_look_like_numbers_stay_as_they_are():
    assert render([Entry("1e3", "007", "1.50", 3, 0, 0.0)]).splitlines()[2].split() == [
        "1e3", "007", "1.50", "3", "0", "B", "0", "µs",
    ]  # fmt: skip
