import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

import counterfoil as c  # noqa: E402

PLAN = """{
  "format": "counterfoil/plan/1",
  "name": "Test",
  "authority": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
  "currency": {"iso4217": "USD"},
  "meters": {"requests": "call"},
  "charges": [{"id": "calls", "meter": "requests", "model": "per_unit", "price": "0.004"}],
  "limits": [{"id": "cap", "spend": "10", "window": "month"}],
  "payees": [{"payee": "model", "weight": 1}],
  "signing": {"mode": "each"}
}"""
SECRET = bytes.fromhex("59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d")
NOW = 1_790_000_000_000
ONE = c.Usage(meters={"requests": 1})


class Shop:
    """A meter with one subscription, over whatever journal a test gives it."""

    def __init__(self, journal: c.Journal, patience: float = 30.0) -> None:
        self.journal = journal
        self.key = c.LocalKey(SECRET)
        self.meter = c.Meter(journal, bytes(32), clock=lambda: NOW, patience=patience)
        self.meter.begin("test/log", self.key.address())
        plan = c.Plan.from_json(PLAN)
        self.meter.add_plan(plan)
        self.subscription = self.meter.subscribe(plan.id(), account="ada").subscription

    def authorize(self, id: str) -> c.Hold:
        hold = self.meter.authorize(self.subscription, id, ONE)
        assert isinstance(hold, c.Hold)
        return hold

    def reserved(self) -> str:
        view = self.meter.subscription(self.subscription)
        assert view is not None
        return view.reserved


@pytest.fixture
def shop() -> Shop:
    return Shop(c.MemoryJournal())
