"""Nobody waits for somebody else, in the worlds in which somebody once did."""

from __future__ import annotations

import pytest

from tests.simulation.worlds import WORLDS, NamedWorld


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
def test_a_neighbour_does_not_wait(world: NamedWorld) -> None:
    assert world.measure() <= world.most_minutes
