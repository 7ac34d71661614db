"""The cases, each under the section that it holds the server to."""

from dataclasses import dataclass
from typing import Callable


WAYS = ('plain', 'secure', 'inside')
#: Where a client speaks to the proxy itself, and not to what it takes for its origin.
OUTSIDE = ('plain', 'secure')
ENCRYPTED = ('secure', 'inside')


@dataclass(frozen=True)
class Case:
    name: str
    run: Callable
    ways: tuple
    #: Whether both prefaces have been exchanged when the case begins.
    greeted: bool


CASES = []


def case(section, what, ways=WAYS, greeted=True):
    """Registers a function of a `Client`; it fails by raising."""
    def register(run):
        CASES.append(Case(f'{section} {what}', run, ways, greeted))
        return run
    return register
