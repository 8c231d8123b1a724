"""The executable model of Counterfoil: plain integers, plain data, one file per room of SPEC.md.

It is written from the rules to be read beside them. It is slow, it trusts nobody's speed tricks, and
it shares no code with any implementation.
"""
