/// What `Meter.authorize` answers.
public enum Answer {
    /// The call may be made.
    case hold(Hold)
    /// The call may not be made: why, and what would change the answer.
    case denied(Denial)
    /// The same request was made before; nothing was recorded.
    case replayed(Replay)
}

/// An authorised call.
public final class Hold {
    private let meter: Meter
    private let authorized: Authorized
    private var ended = false
    public let subscription: String
    public let id: String

    init(meter: Meter, subscription: String, id: String, authorized: Authorized) {
        self.meter = meter
        self.authorized = authorized
        self.subscription = subscription
        self.id = id
        deadline = authorized.deadline
    }

    /// The hash of the request id.
    public var subject: String { authorized.subject }
    /// The lane that the receipt will enter.
    public var lane: String { authorized.lane }
    /// The instant that fixes window and prices.
    public var authorizedAt: Int64 { authorized.authorizedAt }
    /// When the hold expires.
    public private(set) var deadline: Int64
    /// How much the hold raised the reserve, exact.
    public var reserved: String { authorized.reserved }

    /// Makes the call in a scope. Leaving it without `settle` or `release` marks the call's outcome
    /// unknown: what it may have cost stays reserved until the deadline.
    @discardableResult
    public func use<Result>(_ call: (Hold) throws -> Result) throws -> Result {
        let result: Result
        do {
            result = try call(self)
        } catch {
            // The caller's own failure matters more, and the hold is reserved either way.
            try? leave()
            throw error
        }
        try leave()
        return result
    }

    /// Charges what the call really used.
    @discardableResult
    public func settle(_ usage: Usage, content: String? = nil, now: Int64? = nil) throws -> Outcome {
        let done = try meter.settle(subscription, id, usage, content: content, now: now)
        ended = true
        return done
    }

    /// Charges what the call has used so far, while it goes on.
    @discardableResult
    public func settlePart(_ usage: Usage, content: String? = nil, now: Int64? = nil) throws -> Outcome {
        try meter.settlePart(subscription, id, usage, content: content, now: now)
    }

    /// Charges the call as its plan says: it ended, and nobody knows what it used.
    @discardableResult
    public func settleUnfinished(now: Int64? = nil) throws -> Outcome {
        let done = try meter.settleUnfinished(subscription, id, now: now)
        ended = true
        return done
    }

    /// Reserves for longer, and with `most` for more, while it still reserves: extended, or denied.
    @discardableResult
    public func extend(most: Usage? = nil, now: Int64? = nil) throws -> Outcome {
        let done = try meter.extend(subscription, id, most: most, now: now)
        if case .extended(let extended) = done { deadline = extended.deadline }
        return done
    }

    /// Gives the hold back: the call was not made, or is free.
    @discardableResult
    public func release(now: Int64? = nil) throws -> Released {
        let done = try meter.release(subscription, id, now: now)
        ended = true
        return done
    }

    private func leave() throws {
        if !ended {
            ended = true
            try meter.release(subscription, id, unknown: true)
        }
    }
}

extension Outcome {
    /// The receipt that was issued; `nil` for any other outcome.
    public var issued: Issued? {
        if case .receipt(let issued) = self { issued } else { nil }
    }
}
