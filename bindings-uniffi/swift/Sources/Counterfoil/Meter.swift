import Foundation

/// Meters calls under plans and makes receipts. Every method may be called from any thread.
///
/// Entries reach the journal in the order in which they were decided, one at a time, and no lock is
/// held while the journal works: it may read the meter. A thread whose entry waits longer than
/// `patience` for the one before it gives up with `step_abandoned`.
public final class Meter: @unchecked Sendable {
    private let machine: StepMachine
    private let journal: any Journal
    private let clock: @Sendable () -> Int64
    private let patience: TimeInterval
    private let changed = NSCondition()
    private var queue: [Step] = []
    private var doubt: [Step] = []
    private var writer: Thread?

    /// - Parameters:
    ///   - saltKey: a secret of 32 random bytes, the same for a journal's whole life
    ///   - snapshot: a state to go on from; what the journal holds after it is to be replayed first
    ///   - clock: tells the instant, in Unix milliseconds
    public init(
        journal: any Journal, saltKey: Data, snapshot: Data? = nil, patience: TimeInterval = 30,
        clock: @escaping @Sendable () -> Int64 = { Int64(Date().timeIntervalSince1970 * 1000) }
    ) throws {
        machine =
            if let snapshot {
                try StepMachine.fromSnapshot(snapshot: snapshot, saltKey: saltKey)
            } else {
                try StepMachine(saltKey: saltKey)
            }
        self.journal = journal
        self.patience = patience
        self.clock = clock
    }

    /// Folds the next entry that the journal holds, before the first command. Returns what it wants
    /// signed, for a host that lacks the signature.
    @discardableResult
    public func replay(_ entry: Data) throws -> SignRequest? {
        try machine.replay(entry: entry)
    }

    // MARK: Commands

    /// Begins the meter, or begins it anew after a backup was restored.
    public func begin(origin: String, signer: String, now: Int64? = nil) throws {
        let at = now ?? clock()
        _ = try submit { try machine.proposeBegin(origin: origin, signer: signer, now: at) }
    }

    /// Makes a plan known.
    public func add(_ plan: Plan, now: Int64? = nil) throws {
        let at = now ?? clock()
        _ = try submit { try machine.proposeAddPlan(plan: plan, now: at) }
    }

    /// Binds a payer to a plan, by address or by the seller's own name for the account.
    public func subscribe(
        _ plan: String, payer: String? = nil, account: String? = nil, startedAt: Int64? = nil,
        rail: String? = nil, now: Int64? = nil
    ) throws -> Opened {
        let at = now ?? clock()
        let done = try submit {
            try machine.proposeSubscribe(
                plan: plan, payer: payer, account: account, startedAt: startedAt ?? at, rail: rail,
                now: at)
        }
        guard case .opened(let opened) = done else { throw unexpected(done) }
        return opened
    }

    /// Asks for a hold before a call. `id` names the request: asked again, it is a replay. `content` is
    /// the SHA-256 of the request as the client sent it. With `retry` the client says that it repeats a
    /// request without the id of the first: it then joins the newest one of the same content within
    /// `times.retry` of the plan; one that joins none has `id`.
    public func authorize(
        _ subscription: String, _ id: String, most: Usage, createdAt: Int64? = nil,
        content: String? = nil, retry: Bool = false, now: Int64? = nil
    ) throws -> Answer {
        let at = now ?? clock()
        let done = try submit {
            try machine.proposeAuthorize(
                subscription: subscription, id: id, createdAt: createdAt, content: content,
                retry: retry, most: most, now: at)
        }
        switch done {
        case .authorized(let authorized):
            return .hold(
                Hold(meter: self, subscription: subscription, id: id, authorized: authorized))
        case .denied(let denial): return .denied(denial)
        case .replayed(let replay): return .replayed(replay)
        default: throw unexpected(done)
        }
    }

    /// Charges what the call really used: a receipt, or a replay. `content` is the SHA-256 of the
    /// bytes that the usage was read from.
    @discardableResult
    public func settle(
        _ subscription: String, _ id: String, _ usage: Usage, content: String? = nil,
        now: Int64? = nil
    ) throws -> Outcome {
        let at = now ?? clock()
        return try submit {
            try machine.proposeSettle(
                subscription: subscription, id: id, usage: usage, content: content, now: at)
        }
    }

    /// Charges what a running call has used so far: `usage` is all of it. Its hold goes on for the rest.
    @discardableResult
    public func settlePart(
        _ subscription: String, _ id: String, _ usage: Usage, content: String? = nil,
        now: Int64? = nil
    ) throws -> Outcome {
        let at = now ?? clock()
        return try submit {
            try machine.proposeSettlePart(
                subscription: subscription, id: id, usage: usage, content: content, now: at)
        }
    }

    /// Charges a call that ended and of which nobody knows what it used, as its plan says: a receipt, or
    /// a replay.
    @discardableResult
    public func settleUnfinished(
        _ subscription: String, _ id: String, now: Int64? = nil
    ) throws -> Outcome {
        let at = now ?? clock()
        return try submit {
            try machine.proposeSettleUnfinished(subscription: subscription, id: id, now: at)
        }
    }

    /// Lets a hold reserve for longer, while it still reserves: a whole hold of the plan from now on,
    /// and not longer than its grace after the call was authorised. With `most`, what the call may use
    /// in all, it reserves for more; if a limit has no room for that it is denied, and the hold stays as
    /// it was.
    @discardableResult
    public func extend(
        _ subscription: String, _ id: String, most: Usage? = nil, now: Int64? = nil
    ) throws -> Outcome {
        let at = now ?? clock()
        return try submit {
            try machine.proposeExtend(subscription: subscription, id: id, most: most, now: at)
        }
    }

    /// Ends a hold without a charge, or marks the outcome of its call unknown.
    @discardableResult
    public func release(
        _ subscription: String, _ id: String, unknown: Bool = false, now: Int64? = nil
    ) throws -> Released {
        let at = now ?? clock()
        let done = try submit {
            try machine.proposeRelease(
                subscription: subscription, id: id, reason: unknown ? .unknown : .released, now: at)
        }
        guard case .released(let released) = done else { throw unexpected(done) }
        return released
    }

    /// Meters one record of a finished call: a receipt, a denial, or nothing if it was metered before.
    public func importRecord(
        _ subscription: String, _ usage: Usage, mark: Mark, at: Int64, content: String? = nil
    ) throws -> Outcome {
        try submit {
            try machine.proposeImport(
                subscription: subscription, at: at, usage: usage, content: content, mark: mark)
        }
    }

    /// Does the first thing that is due; call it until it returns `.nothing`.
    public func due(now: Int64? = nil) throws -> Outcome {
        let at = now ?? clock()
        return try submit { try machine.proposeDue(now: at) }
    }

    /// Fixes the log's state, if it grew since the last checkpoint.
    public func checkpoint() throws -> Checkpointed? {
        let done = try submit { try machine.proposeCheckpoint() }
        return if case .checkpointed(let made) = done { made } else { nil }
    }

    /// Records money that arrived for a lane: the totals so far, in atomic units.
    public func collect(
        lane: String, amount: UInt128, fee: UInt128 = 0, reference: String, at: Int64? = nil
    ) throws {
        let instant = at ?? clock()
        _ = try submit {
            try machine.proposeCollect(
                lane: lane, amount: amount, fee: fee, reference: reference, at: instant)
        }
    }

    /// Gives a subscription a grant. `terms` is JSON, in the form of a plan's `grants`, with the instant
    /// `expires_at`; the same terms again give nothing.
    public func grant(_ subscription: String, terms: String, now: Int64? = nil) throws {
        let at = now ?? clock()
        _ = try submit {
            try machine.proposeGrant(subscription: subscription, terms: terms, now: at)
        }
    }

    /// Takes back what is left of a grant and no hold reserves; says what the buyer of a paid one is owed.
    @discardableResult
    public func void(_ subscription: String, grant: String, now: Int64? = nil) throws -> Voided {
        let at = now ?? clock()
        let done = try submit {
            try machine.proposeVoid(subscription: subscription, grant: grant, now: at)
        }
        guard case .voided(let voided) = done else { throw unexpected(done) }
        return voided
    }

    /// Ends a subscription at once or with its term, as its plan says. What was billed in advance of a
    /// fee with `prorate` is credited by `due`, once it has ended.
    @discardableResult
    public func cancel(_ subscription: String, now: Int64? = nil) throws -> Cancelled {
        let at = now ?? clock()
        let done = try submit { try machine.proposeCancel(subscription: subscription, now: at) }
        guard case .cancelled(let cancelled) = done else { throw unexpected(done) }
        return cancelled
    }

    /// Ends a subscription now, and opens one of the same payer to another plan, in one entry.
    public func `switch`(_ subscription: String, to plan: String, now: Int64? = nil) throws -> Opened {
        let at = now ?? clock()
        let done = try submit {
            try machine.proposeSwitch(subscription: subscription, plan: plan, now: at)
        }
        guard case .opened(let opened) = done else { throw unexpected(done) }
        return opened
    }

    /// Shows the meter evidence that the plan's condition asks for: the signed document. Calls after it
    /// may rely on it.
    public func present(_ subscription: String, evidence: String, now: Int64? = nil) throws {
        let at = now ?? clock()
        _ = try submit {
            try machine.proposePresent(subscription: subscription, evidence: evidence, now: at)
        }
    }

    /// Gives back what `receipt` cost: an exact `amount` of atomic units, or all that is left. A receipt,
    /// or a replay. The receipt has its body and is signed by the meter's key; the same `id` gives back
    /// once.
    @discardableResult
    public func credit(
        _ subscription: String, _ id: String, _ receipt: Receipt, reason: String,
        amount: String? = nil, now: Int64? = nil
    ) throws -> Outcome {
        let at = now ?? clock()
        return try submit {
            try machine.proposeCredit(
                subscription: subscription, id: id, receipt: receipt, amount: amount,
                reason: reason, now: at)
        }
    }

    /// Lends a share of a subscription to another meter: a lease, or a denial. Give it the lease's bytes
    /// with its signature.
    public func lease(_ request: LeaseRequest, now: Int64? = nil) throws -> Outcome {
        let at = now ?? clock()
        return try submit { try machine.proposeLease(request: request, now: at) }
    }

    /// Takes a lease that another meter made for this one. From then on its id stands for the
    /// subscription's: `authorize` and `settle` name it.
    public func accept(
        lease: Data, signature: String, rail: String? = nil, now: Int64? = nil
    ) throws -> Opened {
        let at = now ?? clock()
        let done = try submit {
            try machine.proposeAccept(lease: lease, signature: signature, rail: rail, now: at)
        }
        guard case .opened(let opened) = done else { throw unexpected(done) }
        return opened
    }

    /// Says what the calls under a lease used so far; after the `closing` one it takes no more. Give it
    /// to the meter that lent, with its signature.
    public func statement(_ lease: String, closing: Bool, now: Int64? = nil) throws -> Stated {
        let at = now ?? clock()
        let done = try submit {
            try machine.proposeStatement(lease: lease, closing: closing, now: at)
        }
        guard case .stated(let stated) = done else { throw unexpected(done) }
        return stated
    }

    /// Takes note of what the holder of a lease says; of its last word, takes the rest back.
    public func absorb(statement: Data, signature: String, now: Int64? = nil) throws {
        let at = now ?? clock()
        _ = try submit {
            try machine.proposeAbsorb(statement: statement, signature: signature, now: at)
        }
    }

    /// Ends the doubt: `durable` is how many entries the journal really holds. Returns what was
    /// decided by the steps in doubt that turn out to be durable.
    @discardableResult
    public func recover(durable: UInt64) throws -> [Outcome] {
        try locked {
            if !queue.isEmpty { throw CounterfoilError.stalled("steps wait for the journal") }
            try machine.recover(durable: durable)
            var decided: [Outcome] = []
            for step in doubt {
                // The first that was not written ends it: those after it were not either.
                guard let outcome = try? machine.confirm(step: step) else { break }
                decided.append(outcome)
            }
            doubt.removeAll()
            return decided
        }
    }

    // MARK: Views: of what is durable

    /// How many entries are durable.
    public var entries: UInt64 { machine.entries() }

    /// A plan by its id.
    public func plan(_ id: String) throws -> Plan? { try machine.plan(id: id) }

    /// Every lane, by id.
    public func lanes() -> [LaneTotals] { machine.lanes() }

    /// One lane's totals.
    public func lane(_ id: String) throws -> LaneTotals? { try machine.lane(id: id) }

    /// Every subscription, by id.
    public func subscriptions() -> [SubscriptionView] { machine.subscriptions() }

    /// One subscription's counters in their newest windows, its grants, and what is reserved.
    public func subscription(_ id: String) throws -> SubscriptionView? {
        try machine.subscription(id: id)
    }

    /// A subscription's holds: those that reserve, also of calls whose outcome is unknown, and those that
    /// expired and may still be settled.
    public func holds(_ subscription: String) throws -> [HoldView]? {
        try machine.holds(subscription: subscription)
    }

    /// A subscription's leases that are out, by id, and what their holders last stated.
    public func leases(_ subscription: String) throws -> [LeaseView]? {
        try machine.leases(subscription: subscription)
    }

    /// The durable state as bytes.
    public func snapshot() -> Data { machine.snapshot() }

    /// A batch over the meter's lanes; add the journal's entries to it, then settle it.
    public func batch(_ extent: Extent, currency: String? = nil) throws -> Batch {
        try Batch(meter: machine, currency: currency, extent: extent)
    }

    // MARK: The order of things

    private func submit(_ propose: () throws -> Step) throws -> Outcome {
        let step = try locked {
            if writer === Thread.current {
                throw CounterfoilError.stalled("the journal called back into the meter")
            }
            let step = try propose()
            queue.append(step)
            try awaitTurn(step)
            writer = Thread.current
            return step
        }
        do {
            if let entry = step.entry() { try journal.append(entry) }
        } catch is InDoubt {
            locked(stall)
            throw CounterfoilError.stalled("the journal is in doubt")
        } catch {
            locked { abandon(step) }
            throw CounterfoilError.abandoned("the journal failed: \(error)")
        }
        return try locked {
            writer = nil
            queue.removeFirst()
            changed.broadcast()
            return try machine.confirm(step: step)
        }
    }

    /// Until every earlier entry is durable.
    private func awaitTurn(_ step: Step) throws {
        let deadline = Date(timeIntervalSinceNow: patience)
        var waiting: Bool { queue.contains { $0 === step } && queue.first !== step }
        while waiting {
            if !changed.wait(until: deadline) && waiting {
                abandon(step)
                throw CounterfoilError.abandoned("the journal has not answered")
            }
        }
        if doubt.contains(where: { $0 === step }) {
            throw CounterfoilError.stalled("an earlier entry is in doubt")
        }
        if queue.first !== step {
            throw CounterfoilError.abandoned("an earlier entry was not written")
        }
    }

    /// Drops the step and all after it; their callers propose again.
    private func abandon(_ step: Step) {
        guard let at = queue.firstIndex(where: { $0 === step }) else { return }
        if at == 0 { writer = nil }
        // Fails for a step that is not pending, and this one is.
        try? machine.abandon(step: step)
        queue.removeSubrange(at...)
        changed.broadcast()
    }

    private func stall() {
        machine.stall()
        writer = nil
        doubt.append(contentsOf: queue)
        queue.removeAll()
        changed.broadcast()
    }

    private func locked<Result>(_ body: () throws -> Result) rethrows -> Result {
        changed.lock()
        defer { changed.unlock() }
        return try body()
    }

    private func unexpected(_ outcome: Outcome) -> CounterfoilError {
        .abandoned("decided as \(outcome)")
    }
}
