"""Faulty relays: each swaps one piece of the relay, the outbox or the states for one that breaks the promise.

A simulator that does not find them proves nothing. Each is one that somebody could write, in good faith.
"""

from tests.simulation.mutations import doors, edits, groups, lanes, parkings, rows
from tests.simulation.mutations.registry import MUTATIONS, Mutation, note_found, read_found

__all__ = ["MUTATIONS", "Mutation", "doors", "edits", "groups", "lanes", "note_found", "parkings", "read_found", "rows"]
