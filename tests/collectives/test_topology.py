from __future__ import annotations

import pytest

from fmi_core.collectives import Side, topology

SHAPES = (
    topology.everyone,
    topology.star,
    topology.star_at_0,
    topology.ring,
    topology.line,
    topology.chain,
    topology.dissemination,
    topology.doubling_line,
    topology.binomial,
    topology.binomial_at_0,
    topology.ordered_binomial,
    topology.prefix_tree,
    topology.hypercube,
    topology.hypercube_of_root,
)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7, 8, 13, 16, 17])
def test_every_shape_is_connected_and_every_link_has_two_ends(shape, size):
    for root in range(size):
        links = [shape(rank, size, root) for rank in range(size)]
        for rank, peers in enumerate(links):
            assert rank not in peers
            assert all(rank in links[peer] for peer in peers)
        reached, fresh = {root}, [root]
        while fresh:
            found = links[fresh.pop()] - reached
            reached |= found
            fresh += found
        assert reached == set(range(size))


def test_block_indices():
    assert topology.one(4) == range(4, 5)
    assert topology.pack([2, 3, 4]) == range(2, 5)
    assert topology.pack([2, 4]) == (2, 4)
    assert topology.pack([]) == ()
    assert topology.wrap(2, 3, 5) == range(2, 5)
    assert topology.wrap(3, 4, 5) == (3, 4, 0, 1)


def test_what_comes_from_a_higher_rank_is_folded_on_the_right():
    assert topology.side(3, 5) is Side.RIGHT
    assert topology.side(3, 2) is Side.LEFT


@pytest.mark.parametrize(
    ("limit", "expected"), [(1, []), (2, [1]), (3, [1, 2]), (4, [1, 2]), (5, [1, 2, 4]), (8, [1, 2, 4])]
)
def test_powers_below_a_limit(limit, expected):
    assert topology.powers(limit) == expected


@pytest.mark.parametrize(("size", "expected"), [(1, 1), (2, 2), (3, 2), (7, 4), (8, 8), (9, 8)])
def test_floor_power(size, expected):
    assert topology.floor_power(size) == expected


def test_the_binomial_tree_of_eight():
    assert topology.binomial_tree(0, 8, 0) == (None, (1, 2, 4))
    assert topology.binomial_tree(4, 8, 0) == (0, (5, 6))
    assert topology.binomial_tree(7, 8, 0) == (6, ())
    assert topology.binomial_tree(1, 8, 3) == (7, (2,))  # node 6, counted from rank 3


@pytest.mark.parametrize("size", [1, 5, 8, 13])
@pytest.mark.parametrize("root", [0, 2, 4])
def test_a_subtree_is_the_rank_and_the_subtrees_of_its_children(size, root):
    root %= size
    for rank in range(size):
        parts = [set(topology.subtree(c, size, root)) for c in topology.binomial_tree(rank, size, root).children]
        assert {rank}.union(*parts) == set(topology.subtree(rank, size, root))
        assert 1 + sum(map(len, parts)) == len(topology.subtree(rank, size, root))


@pytest.mark.parametrize("size", range(1, 18))
def test_every_subtree_of_the_ordered_tree_is_a_run_of_ranks(size):
    def members(rank, root):
        children = topology.ordered_tree(rank, size, root).children
        return {rank}.union(*(members(child, root) for child in children))

    for root in range(size):
        assert members(root, root) == set(range(size))
        for rank in range(size):
            below = members(rank, root)
            assert max(below) - min(below) == len(below) - 1
            parent = topology.ordered_tree(rank, size, root).parent
            if rank == root:
                assert parent is None
            else:
                assert rank in topology.ordered_tree(parent, size, root).children


def test_a_sweep_over_four_ranks():
    assert topology.sweep(0, 4) == [(1, True)]
    assert topology.sweep(1, 4) == [(0, False), (3, True), (2, True)]
    assert topology.sweep(2, 4) == [(3, True), (1, False)]
    assert topology.sweep(3, 4) == [(2, False), (1, False)]


def test_in_a_hypercube_of_six_two_ranks_fold_in():
    cube = topology.Hypercube(6)
    assert cube.corners == 4
    assert [cube.corner(rank) for rank in range(6)] == [0, 0, 1, 1, 2, 3]
    assert [rank for rank in range(6) if cube.folds_in(rank)] == [0, 2]
    assert [cube.twin(rank) for rank in range(6)] == [1, 0, 3, 2, None, None]
    assert cube.neighbours(1) == [3, 4]
    assert cube.peers(0) == {1}
    assert cube.peers(1) == {0, 3, 4}


@pytest.mark.parametrize("size", [3, 6, 7, 13])
def test_the_rank_to_keep_never_folds_in(size):
    for keep in range(size):
        cube = topology.Hypercube(size, keep=keep)
        assert not cube.folds_in(keep)
        assert sum(cube.folds_in(rank) for rank in range(size)) == size - cube.corners
        assert [cube.corner(cube.rank(corner)) for corner in range(cube.corners)] == list(range(cube.corners))
