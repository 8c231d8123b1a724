"""The layer over the step machine: the journal works, fails, doubts, stays silent, calls back."""

import sys
import threading
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from conftest import NOW, ONE, Shop  # noqa: E402

import counterfoil as c  # noqa: E402


class Scripted(c.MemoryJournal):
    """A journal whose next append does something else first."""

    def __init__(self):
        super().__init__()
        self.first = None

    def append(self, entry):
        first, self.first = self.first, None
        if first:
            first()
        super().append(entry)


@pytest.fixture
def scripted():
    journal = Scripted()
    return Shop(journal, patience=0.2), journal


def fail(error):
    def raiser():
        raise error

    return raiser


def code(failed):
    return failed.value.code


def replayed(entries):
    meter = c.Meter(c.MemoryJournal(), bytes(32))
    for entry in entries:
        meter.replay(entry)
    return meter


def test_a_call_is_authorised_settled_signed_and_verified(shop):
    with shop.authorize("r1") as hold:
        assert hold.reserved == "0.4"
        issued = hold.settle(ONE)
    assert isinstance(issued, c.Issued)
    assert shop.reserved() == "0"
    signature = issued.sign.accept(shop.key.sign(issued.digest))
    header = issued.receipt.signed(signature).to_header()
    verified = c.Receipt.from_header(header).verify(shop.key.address())
    assert verified.head().charge == 0 and verified.digest() == issued.digest
    assert replayed(shop.journal.entries).snapshot() == shop.meter.snapshot()


def test_the_same_request_is_a_replay(shop):
    hold = shop.authorize("r1")
    again = shop.meter.authorize(shop.subscription, "r1", ONE)
    assert isinstance(again, c.Replay) and again.state is c.ReplayState.HELD
    digest = hold.settle(ONE).digest
    assert shop.meter.settle(shop.subscription, "r1", ONE).receipt == digest


def test_a_denial_says_why_and_records_nothing(shop):
    before = len(shop.journal.entries)
    denial = shop.meter.authorize(shop.subscription, "r1", c.Usage(meters={"requests": 2501}))
    assert isinstance(denial, c.Denial)
    assert (denial.code, denial.rule) == ("limit_reached", "limits/cap")
    assert denial.needed == "1000.4"
    assert c.http_status(denial) == 402
    assert len(shop.journal.entries) == before


def test_leaving_the_scope_without_settling_marks_the_outcome_unknown(shop):
    with shop.authorize("r1"):
        pass
    assert shop.reserved() == "0.4"
    kept = len(shop.journal.entries)
    with pytest.raises(ZeroDivisionError), shop.authorize("r2"):
        _ = 1 // 0
    assert shop.reserved() == "0.8" and len(shop.journal.entries) == kept + 2
    assert isinstance(shop.meter.settle(shop.subscription, "r1", ONE), c.Issued)


def test_a_hold_given_back_reserves_nothing(shop):
    with shop.authorize("r1") as hold:
        hold.release()
    assert shop.reserved() == "0"


def test_a_journal_that_fails_abandons_the_step(scripted):
    shop, journal = scripted
    before = list(journal.entries)
    full = OSError("disk full")
    journal.first = fail(full)
    with pytest.raises(c.Error) as failed:
        shop.authorize("r1")
    assert code(failed) == "step_abandoned" and failed.value.__cause__ is full
    assert journal.entries == before and shop.reserved() == "0"
    assert isinstance(shop.authorize("r1"), c.Hold)


def test_a_failed_settle_leaves_the_hold(scripted):
    shop, journal = scripted
    hold = shop.authorize("r1")
    journal.first = fail(OSError())
    with pytest.raises(c.Error), hold:
        hold.settle(ONE)
    assert shop.reserved() == "0.4"
    assert isinstance(hold.settle(ONE), c.Issued)


@pytest.mark.parametrize("written", [True, False])
def test_a_journal_in_doubt_stalls_until_the_doubt_ends(scripted, written):
    shop, journal = scripted
    lost = []

    def doubt():
        raise c.InDoubt

    journal.first = doubt
    original = journal.append
    journal.append = lambda entry: (lost.append(entry), original(entry))
    with pytest.raises(c.Error) as failed:
        shop.authorize("r1")
    assert code(failed) == "meter_stalled"
    with pytest.raises(c.Error) as failed:
        shop.authorize("r2")
    assert code(failed) == "meter_stalled"
    assert shop.reserved() == "0"  # the durable state can be read
    if written:
        journal.entries.append(lost[0])
    decided = shop.meter.recover(len(journal.entries))
    assert [type(one) for one in decided] == [c.Authorized] * written
    assert shop.reserved() == ("0.4" if written else "0")
    again = shop.meter.authorize(shop.subscription, "r1", ONE)
    assert isinstance(again, c.Replay if written else c.Hold)
    assert replayed(journal.entries).snapshot() == shop.meter.snapshot()


def test_a_wrong_count_ends_no_doubt(scripted):
    shop, journal = scripted
    journal.first = fail(c.InDoubt())
    with pytest.raises(c.Error):
        shop.authorize("r1")
    for wrong in (0, len(journal.entries) + 2):
        with pytest.raises(c.Error) as failed:
            shop.meter.recover(wrong)
        assert code(failed) == "entry_misplaced"
    with pytest.raises(c.Error) as failed:
        shop.authorize("r2")
    assert code(failed) == "meter_stalled"


def test_an_interrupt_while_writing_is_a_doubt(scripted):
    shop, journal = scripted
    journal.first = fail(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        shop.authorize("r1")
    with pytest.raises(c.Error) as failed:
        shop.authorize("r1")
    assert code(failed) == "meter_stalled"


def test_a_journal_that_calls_back_reads_but_does_not_write(scripted):
    shop, journal = scripted
    seen = []

    def call_back():
        seen.append(shop.reserved())
        shop.authorize("inner")

    journal.first = call_back
    with pytest.raises(c.Error) as failed:
        shop.authorize("outer")
    assert code(failed) == "step_abandoned" and failed.value.__cause__.code == "meter_stalled"
    assert seen == ["0"]

    def swallow():
        with pytest.raises(c.Error):
            shop.authorize("inner")

    journal.first = swallow
    assert isinstance(shop.authorize("outer"), c.Hold)
    assert isinstance(shop.authorize("inner"), c.Hold)
    assert replayed(journal.entries).snapshot() == shop.meter.snapshot()


def test_a_silent_journal_holds_up_nobody_for_ever(scripted):
    shop, journal = scripted
    answer = threading.Event()
    writing = threading.Event()
    results = {}

    def silent():
        writing.set()
        assert answer.wait(10)

    journal.first = silent
    slow = threading.Thread(target=lambda: results.update(r1=shop.authorize("r1")))
    slow.start()
    assert writing.wait(10)
    with pytest.raises(c.Error) as failed:
        shop.authorize("r2")
    assert code(failed) == "step_abandoned"
    assert isinstance(failed.value.__cause__, TimeoutError)
    assert shop.reserved() == "0"
    answer.set()
    slow.join(10)
    assert isinstance(results["r1"], c.Hold)
    assert isinstance(shop.authorize("r2"), c.Hold)
    assert replayed(journal.entries).snapshot() == shop.meter.snapshot()


def test_those_who_wait_behind_a_failure_propose_again(scripted):
    shop, journal = scripted
    shop.meter._patience = 10.0
    writing, go = threading.Event(), threading.Event()
    codes = []

    def fail_late():
        writing.set()
        assert go.wait(10)
        raise OSError

    def call(id):
        try:
            shop.authorize(id)
        except c.Error as e:
            codes.append(e.code)

    journal.first = fail_late
    threads = [threading.Thread(target=call, args=(f"r{n}",)) for n in range(4)]
    threads[0].start()
    assert writing.wait(10)
    for thread in threads[1:]:
        thread.start()
    while len(shop.meter._queue) < 4:
        pass
    go.set()
    for thread in threads:
        thread.join(10)
    assert codes == ["step_abandoned"] * 4
    assert isinstance(shop.authorize("r1"), c.Hold)
    assert replayed(journal.entries).snapshot() == shop.meter.snapshot()


def test_threads_append_in_the_order_of_their_decisions(shop):
    def call(thread):
        for n in range(20):
            with shop.authorize(f"{thread}/{n}") as hold:
                hold.settle(ONE)

    threads = [threading.Thread(target=call, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(shop.journal.entries) == 3 + 2 * 8 * 20
    assert replayed(shop.journal.entries).snapshot() == shop.meter.snapshot()
    [lane] = shop.meter.lanes()
    assert (lane.sequence, lane.cumulative) == (160, "64")


def test_a_ledger_is_audited_and_settled(shop):
    signatures = {}
    for n in range(5):
        with shop.authorize(f"r{n}") as hold:
            issued = hold.settle(ONE)
            signatures[issued.sign.slot()] = shop.key.sign(issued.sign.digest())
    [lane] = shop.meter.lanes()
    signatures[0] = shop.key.sign(lane.lane)
    auditor = c.Auditor()
    for entry in shop.journal.entries:
        expected = auditor.next(entry)
        if expected is not None:
            expected.check(signatures.get(expected.slot()))
    assert auditor.counts().receipts == 5
    shop.meter.collect(lane.lane, 2, reference="invoice 1", at=NOW)
    batch = shop.meter.batch(c.Extent.COLLECTED)
    for entry in shop.journal.entries:
        batch.add(entry)
    totals = batch.settle(False).totals()
    assert (totals.gross, totals.collected, totals.payouts) == (2, 2, 2)
