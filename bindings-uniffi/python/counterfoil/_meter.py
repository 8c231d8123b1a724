"""The meter over a journal: propose, append, confirm."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from threading import Condition, get_ident
from types import TracebackType
from typing import Any, Optional, Protocol, Union

from . import _native as native
from ._errors import Error, InDoubt, stalled

Clock = Callable[[], int]
"""Tells the instant, in Unix milliseconds."""


Due = Union[
    native.Released, native.Issued, native.Checkpointed, native.Opened, native.Reclaimed, None
]
"""What time brings."""


class Journal(Protocol):
    """Where entries become durable, in the order in which they are given."""

    def append(self, entry: bytes) -> None:
        """Returns once the entry is durable. An exception says that it was not written, and
        :class:`InDoubt` that this is not known."""


class MemoryJournal:
    """A journal that forgets everything with the process: for tests and previews."""

    def __init__(self, entries: Iterable[bytes] = ()) -> None:
        self.entries = list(entries)

    def append(self, entry: bytes) -> None:
        self.entries.append(entry)


def _wall_clock() -> int:
    return time.time_ns() // 1_000_000


class Meter:
    """Meters calls under plans and makes receipts. Every method may be called from any thread.

    Entries reach the journal in the order in which they were decided, one at a time, and no lock is
    held while the journal works: it may read the meter. A thread whose entry waits longer than
    ``patience`` seconds for the one before it gives up with ``step_abandoned``.
    """

    def __init__(
        self,
        journal: Journal,
        salt_key: bytes,
        *,
        snapshot: Optional[bytes] = None,
        clock: Clock = _wall_clock,
        patience: float = 30.0,
    ) -> None:
        """``salt_key`` is a secret of 32 random bytes, the same for a journal's whole life. What the
        journal holds already, after the ``snapshot`` if there is one, is to be replayed first."""
        self._native = (
            native.StepMachine(salt_key)
            if snapshot is None
            else native.StepMachine.from_snapshot(snapshot, salt_key)
        )
        self._journal = journal
        self._clock = clock
        self._patience = patience
        self._changed = Condition()
        self._queue: list[native.Step] = []
        self._doubt: list[native.Step] = []
        self._writer: Optional[int] = None

    def replay(self, entry: bytes) -> Optional[native.SignRequest]:
        """Folds the next entry that the journal holds, before the first command. Returns what it
        wants signed, for a host that lacks the signature."""
        return self._native.replay(entry)

    # Commands

    def begin(self, origin: str, signer: str, *, now: Optional[int] = None) -> None:
        """Begins the meter, or begins it anew after a backup was restored."""
        at = self._at(now)
        self._submit(lambda: self._native.propose_begin(origin, signer, at))

    def add_plan(self, plan: native.Plan, *, now: Optional[int] = None) -> None:
        """Makes a plan known."""
        at = self._at(now)
        self._submit(lambda: self._native.propose_add_plan(plan, at))

    def subscribe(
        self,
        plan: str,
        *,
        payer: Optional[str] = None,
        account: Optional[str] = None,
        started_at: Optional[int] = None,
        rail: Optional[str] = None,
        now: Optional[int] = None,
    ) -> native.Opened:
        """Binds a payer to a plan, by address or by the seller's own name for the account."""
        at = self._at(now)
        start = at if started_at is None else started_at
        opened: native.Opened = self._submit(
            lambda: self._native.propose_subscribe(plan, payer, account, start, rail, at)
        )
        return opened

    def authorize(
        self,
        subscription: str,
        id: str,
        most: native.Usage,
        *,
        created_at: Optional[int] = None,
        content: Optional[str] = None,
        retry: bool = False,
        now: Optional[int] = None,
    ) -> Union[Hold, native.Denial, native.Replay]:
        """Asks for a hold before a call. ``id`` names the request: asked again, it is a replay.

        ``content`` is the SHA-256 of the request as the client sent it. With ``retry`` the client says
        that it repeats a request without the id of the first: it then joins the newest one of the same
        content within ``times.retry`` of the plan; one that joins none has ``id``."""
        at = self._at(now)
        decided = self._submit(
            lambda: self._native.propose_authorize(
                subscription, id, created_at, content, retry, most, at
            )
        )
        if isinstance(decided, native.Authorized):
            return Hold(self, subscription, id, decided)
        answer: Union[native.Denial, native.Replay] = decided
        return answer

    def settle(
        self,
        subscription: str,
        id: str,
        usage: native.Usage,
        *,
        content: Optional[str] = None,
        now: Optional[int] = None,
    ) -> Union[native.Issued, native.Replay]:
        """Charges what the call really used. ``content`` is the SHA-256 of the bytes that the usage
        was read from."""
        at = self._at(now)
        settled: Union[native.Issued, native.Replay] = self._submit(
            lambda: self._native.propose_settle(subscription, id, usage, content, at)
        )
        return settled

    def settle_part(
        self,
        subscription: str,
        id: str,
        usage: native.Usage,
        *,
        content: Optional[str] = None,
        now: Optional[int] = None,
    ) -> Union[native.Issued, native.Replay]:
        """Charges what a running call has used so far: ``usage`` is all of it. The hold goes on for
        the rest."""
        at = self._at(now)
        charged: Union[native.Issued, native.Replay] = self._submit(
            lambda: self._native.propose_settle_part(subscription, id, usage, content, at)
        )
        return charged

    def settle_unfinished(
        self, subscription: str, id: str, *, now: Optional[int] = None
    ) -> Union[native.Issued, native.Replay]:
        """Charges a call that ended and of which nobody knows what it used, as its plan says."""
        at = self._at(now)
        settled: Union[native.Issued, native.Replay] = self._submit(
            lambda: self._native.propose_settle_unfinished(subscription, id, at)
        )
        return settled

    def extend(
        self,
        subscription: str,
        id: str,
        most: Optional[native.Usage] = None,
        *,
        now: Optional[int] = None,
    ) -> Union[native.Extended, native.Denial]:
        """Lets a hold reserve for longer, while it still reserves: a whole hold of the plan from now
        on, and not longer than its grace after the call was authorised. With ``most``, what the call
        may use in all, it reserves for more; if a limit has no room for that, it stays as it was."""
        at = self._at(now)
        extended: Union[native.Extended, native.Denial] = self._submit(
            lambda: self._native.propose_extend(subscription, id, most, at)
        )
        return extended

    def release(
        self, subscription: str, id: str, *, unknown: bool = False, now: Optional[int] = None
    ) -> native.Released:
        """Ends a hold without a charge, or marks the outcome of its call unknown."""
        reason = native.ReleaseReason.UNKNOWN if unknown else native.ReleaseReason.RELEASED
        at = self._at(now)
        released: native.Released = self._submit(
            lambda: self._native.propose_release(subscription, id, reason, at)
        )
        return released

    def import_record(
        self,
        subscription: str,
        usage: native.Usage,
        mark: native.Mark,
        *,
        at: int,
        content: Optional[str] = None,
    ) -> Union[native.Issued, native.Denial, None]:
        """Meters one record of a finished call; ``None`` for a record that was metered before."""
        done: Union[native.Issued, native.Denial, None] = self._submit(
            lambda: self._native.propose_import(subscription, at, usage, content, mark)
        )
        return done

    def due(
        self, *, now: Optional[int] = None
    ) -> Due:
        """Does the first thing that is due; call it until it returns ``None``."""
        at = self._at(now)
        done: Due = self._submit(lambda: self._native.propose_due(at))
        return done

    def checkpoint(self) -> Optional[native.Checkpointed]:
        """Fixes the log's state, if it grew since the last checkpoint."""
        made: Optional[native.Checkpointed] = self._submit(self._native.propose_checkpoint)
        return made

    def collect(
        self, lane: str, amount: int, *, fee: int = 0, reference: str, at: Optional[int] = None
    ) -> None:
        """Records money that arrived for a lane: the totals so far, in atomic units."""
        instant = self._at(at)
        self._submit(
            lambda: self._native.propose_collect(lane, amount, fee, reference, instant)
        )

    def grant(self, subscription: str, terms: str, *, now: Optional[int] = None) -> None:
        """Gives a subscription a grant. ``terms`` is JSON, in the form of a plan's ``grants``, with
        the instant ``expires_at``; the same terms again give nothing."""
        at = self._at(now)
        self._submit(lambda: self._native.propose_grant(subscription, terms, at))

    def void(self, subscription: str, grant: str, *, now: Optional[int] = None) -> native.Voided:
        """Takes back what is left of a grant and no hold reserves; says what the buyer of a paid one
        is owed."""
        at = self._at(now)
        voided: native.Voided = self._submit(
            lambda: self._native.propose_void(subscription, grant, at)
        )
        return voided

    def cancel(self, subscription: str, *, now: Optional[int] = None) -> native.Cancelled:
        """Ends a subscription at once or with its term, as its plan says. What was billed in advance
        of a fee with ``prorate`` is credited by :meth:`due`, once it has ended."""
        at = self._at(now)
        cancelled: native.Cancelled = self._submit(
            lambda: self._native.propose_cancel(subscription, at)
        )
        return cancelled

    def switch(self, subscription: str, plan: str, *, now: Optional[int] = None) -> native.Opened:
        """Ends a subscription now, and opens one of the same payer to another plan, in one entry."""
        at = self._at(now)
        opened: native.Opened = self._submit(
            lambda: self._native.propose_switch(subscription, plan, at)
        )
        return opened

    def present(self, subscription: str, evidence: str, *, now: Optional[int] = None) -> None:
        """Shows the meter evidence that the plan's condition asks for: the signed document. Calls after
        it may rely on it."""
        at = self._at(now)
        self._submit(lambda: self._native.propose_present(subscription, evidence, at))

    def credit(
        self,
        subscription: str,
        id: str,
        receipt: native.Receipt,
        *,
        reason: str,
        amount: Optional[str] = None,
        now: Optional[int] = None,
    ) -> Union[native.Issued, native.Replay]:
        """Gives back what ``receipt`` cost: an exact ``amount`` of atomic units, or all that is left.
        The receipt has its body and is signed by the meter's key; the same ``id`` gives back once."""
        at = self._at(now)
        made: Union[native.Issued, native.Replay] = self._submit(
            lambda: self._native.propose_credit(subscription, id, receipt, amount, reason, at)
        )
        return made

    def lease(
        self,
        subscription: str,
        *,
        holder: str,
        until: int,
        units: Mapping[str, int],
        limits: Optional[Mapping[str, int]] = None,
        attributes: Optional[Mapping[str, str]] = None,
        now: Optional[int] = None,
    ) -> Union[native.Leased, native.Denial]:
        """Lends a share of a subscription to the meter whose log is called ``holder``: units by
        charge, and units by limit on units. Give it the lease's bytes with its signature."""
        at = self._at(now)
        request = native.LeaseRequest(
            subscription=subscription,
            holder=holder,
            until=until,
            units=dict(units),
            limits=dict(limits or {}),
            attributes=dict(attributes or {}),
        )
        done: Union[native.Leased, native.Denial] = self._submit(
            lambda: self._native.propose_lease(request, at)
        )
        return done

    def accept(
        self,
        lease: bytes,
        signature: str,
        *,
        rail: Optional[str] = None,
        now: Optional[int] = None,
    ) -> native.Opened:
        """Takes a lease that another meter made for this one. From then on its id stands for the
        subscription's: authorize and settle name it."""
        at = self._at(now)
        opened: native.Opened = self._submit(
            lambda: self._native.propose_accept(lease, signature, rail, at)
        )
        return opened

    def statement(
        self, lease: str, *, closing: bool, now: Optional[int] = None
    ) -> native.Stated:
        """Says what the calls under a lease used so far; after the ``closing`` one it takes no more.
        Give it to the meter that lent, with its signature."""
        at = self._at(now)
        stated: native.Stated = self._submit(
            lambda: self._native.propose_statement(lease, closing, at)
        )
        return stated

    def absorb(self, statement: bytes, signature: str, *, now: Optional[int] = None) -> None:
        """Takes note of what the holder of a lease says; of its last word, takes the rest back."""
        at = self._at(now)
        self._submit(lambda: self._native.propose_absorb(statement, signature, at))

    def recover(self, durable: int) -> list[Any]:
        """Ends the doubt: ``durable`` is how many entries the journal really holds. Returns what was
        decided by the steps in doubt that turn out to be durable."""
        with self._changed:
            if self._queue:
                raise stalled("steps wait for the journal")
            self._native.recover(durable)
            decided = []
            for step in self._doubt:
                try:
                    decided.append(_value(self._native.confirm(step)))
                except Error:
                    break  # it was not written, nor were those after it
            self._doubt.clear()
            return decided

    # Views: of what is durable

    @property
    def entries(self) -> int:
        """How many entries are durable."""
        return self._native.entries()

    def plan(self, id: str) -> Optional[native.Plan]:
        """A plan by its id."""
        return self._native.plan(id)

    def lanes(self) -> list[native.LaneTotals]:
        """Every lane, by id."""
        return self._native.lanes()

    def lane(self, id: str) -> Optional[native.LaneTotals]:
        """One lane's totals."""
        return self._native.lane(id)

    def subscriptions(self) -> list[native.SubscriptionView]:
        """Every subscription, by id."""
        return self._native.subscriptions()

    def subscription(self, id: str) -> Optional[native.SubscriptionView]:
        """One subscription's counters in their newest windows, its grants, and what is reserved."""
        return self._native.subscription(id)

    def holds(self, subscription: str) -> Optional[list[native.HoldView]]:
        """A subscription's holds: those that reserve, also of calls whose outcome is unknown, and
        those that expired and may still be settled."""
        return self._native.holds(subscription)

    def leases(self, subscription: str) -> Optional[list[native.LeaseView]]:
        """A subscription's leases that are out, by id, and what their holders last stated."""
        return self._native.leases(subscription)

    def snapshot(self) -> bytes:
        """The durable state as bytes."""
        return self._native.snapshot()

    def batch(
        self, extent: native.Extent, *, currency: Optional[str] = None
    ) -> native.Batch:
        """A batch over the meter's lanes; add the journal's entries to it, then settle it."""
        return native.Batch(self._native, currency, extent)

    # The order of things

    def _at(self, now: Optional[int]) -> int:
        return self._clock() if now is None else now

    def _submit(self, propose: Callable[[], native.Step]) -> Any:
        me = get_ident()
        with self._changed:
            if self._writer == me:
                raise stalled("the journal called back into the meter")
            step = propose()
            self._queue.append(step)
            self._wait(step)
            self._writer = me
        try:
            entry = step.entry()
            if entry is not None:
                self._journal.append(entry)
        except InDoubt as doubt:
            self._stall()
            raise stalled("the journal is in doubt") from doubt
        except Exception as failure:
            raise self._abandon(step) from failure
        except BaseException:
            self._stall()  # interrupted in the middle: who knows
            raise
        with self._changed:
            self._writer = None
            self._queue.pop(0)
            self._changed.notify_all()
            return _value(self._native.confirm(step))

    def _wait(self, step: native.Step) -> None:
        """Until every earlier entry is durable."""
        try:
            answered = self._changed.wait_for(
                lambda: step not in self._queue or self._queue[0] is step, self._patience
            )
        except BaseException:
            self._abandon(step)  # interrupted while waiting
            raise
        if not answered:
            raise self._abandon(step) from TimeoutError("the journal has not answered")
        if step in self._doubt:
            raise stalled("an earlier entry is in doubt")
        if step not in self._queue:
            raise self._abandoned(step)

    def _abandon(self, step: native.Step) -> Error:
        """Drops the step and all after it; their callers propose again."""
        with self._changed:
            if step in self._queue:
                if step is self._queue[0]:
                    self._writer = None
                self._native.abandon(step)
                del self._queue[self._queue.index(step) :]
                self._changed.notify_all()
            return self._abandoned(step)

    def _abandoned(self, step: native.Step) -> Error:
        try:
            self._native.confirm(step)
        except Error as abandoned:
            return abandoned
        return stalled("a step was confirmed twice")

    def _stall(self) -> None:
        with self._changed:
            self._native.stall()
            self._writer = None
            self._doubt = list(self._queue)
            self._queue.clear()
            self._changed.notify_all()


class Hold:
    """An authorised call. Leaving its scope without :meth:`settle` or :meth:`release` marks the
    call's outcome unknown: what it may have cost stays reserved until the deadline."""

    def __init__(
        self, meter: Meter, subscription: str, id: str, authorized: native.Authorized
    ) -> None:
        self._meter = meter
        self._ended = False
        self.subscription = subscription
        self.id = id
        self.subject = authorized.subject
        self.lane = authorized.lane
        self.authorized_at = authorized.authorized_at
        self.deadline = authorized.deadline
        self.reserved = authorized.reserved

    def settle(
        self, usage: native.Usage, *, content: Optional[str] = None, now: Optional[int] = None
    ) -> Union[native.Issued, native.Replay]:
        """Charges what the call really used."""
        done = self._meter.settle(self.subscription, self.id, usage, content=content, now=now)
        self._ended = True
        return done

    def settle_part(
        self, usage: native.Usage, *, content: Optional[str] = None, now: Optional[int] = None
    ) -> Union[native.Issued, native.Replay]:
        """Charges what the call has used so far, while it goes on."""
        return self._meter.settle_part(
            self.subscription, self.id, usage, content=content, now=now
        )

    def settle_unfinished(
        self, *, now: Optional[int] = None
    ) -> Union[native.Issued, native.Replay]:
        """Charges the call as its plan says: it ended, and nobody knows what it used."""
        done = self._meter.settle_unfinished(self.subscription, self.id, now=now)
        self._ended = True
        return done

    def extend(
        self, most: Optional[native.Usage] = None, *, now: Optional[int] = None
    ) -> Union[native.Extended, native.Denial]:
        """Reserves for longer, and with ``most`` for more, while it still reserves."""
        extended = self._meter.extend(self.subscription, self.id, most, now=now)
        if isinstance(extended, native.Extended):
            self.deadline = extended.deadline
        return extended

    def release(self, *, now: Optional[int] = None) -> native.Released:
        """Gives the hold back: the call was not made, or is free."""
        done = self._meter.release(self.subscription, self.id, now=now)
        self._ended = True
        return done

    def __enter__(self) -> Hold:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        if self._ended:
            return
        self._ended = True
        try:
            self._meter.release(self.subscription, self.id, unknown=True)
        except Error:
            if kind is None:
                raise
            # The caller's own failure matters more, and the hold is reserved either way.


def _value(outcome: Any) -> Any:
    """What was decided, or ``None`` where there is nothing to say."""
    return getattr(outcome, "value", None)
