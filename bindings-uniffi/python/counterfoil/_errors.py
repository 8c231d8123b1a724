"""The one error, and what a journal raises when it cannot tell."""

from __future__ import annotations

from typing import TYPE_CHECKING, Optional

from ._native import CounterfoilError

if TYPE_CHECKING:

    class Error(Exception):
        """Every failure: what, where and on which input."""

        code: str
        """Never changes its meaning and is the same in every language."""
        reason: str
        """The whole failure in words: the exception's text."""
        place: Optional[str]
        """A JSON Pointer, a lane and receipt ..."""
        offending: Optional[str]
        """The offending value, at most 80 characters of it."""

        def __init__(
            self, code: str, reason: str, place: Optional[str], offending: Optional[str]
        ) -> None: ...

else:
    Error = CounterfoilError.Failed
    Error.__str__ = lambda self: self.reason
    Error.__module__, Error.__name__, Error.__qualname__ = "counterfoil", "Error", "Error"


class InDoubt(Exception):
    """Raised by a journal that cannot say whether it wrote the entry. The meter then takes no
    command until :meth:`Meter.recover`."""


def stalled(why: str) -> Error:
    """The meter's own refusal, where the layer knows more about the reason."""
    return Error("meter_stalled", f"a write's outcome is unknown ({why})", None, None)
