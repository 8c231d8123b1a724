"""R-ERR: the one kind of failure."""


class Refused(Exception):
    """A failure with a stable code and, where it is normative, a place."""

    def __init__(self, code, place=None):
        super().__init__(f"{code} at {place}")
        self.code = code
        self.place = place


def need(condition, code, place=None):
    """Refuses unless the condition holds."""
    if not condition:
        raise Refused(code, place)
