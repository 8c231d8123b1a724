import Foundation

extension CounterfoilError: LocalizedError, CustomStringConvertible {
    /// Never changes its meaning and is the same in every language: `json_unknown_field` …
    public var code: String {
        switch self {
        case .Failed(let code, _, _, _): code
        }
    }

    /// The whole failure in words.
    public var reason: String {
        switch self {
        case .Failed(_, let reason, _, _): reason
        }
    }

    /// Where: a JSON Pointer, a lane and receipt …
    public var place: String? {
        switch self {
        case .Failed(_, _, let place, _): place
        }
    }

    /// The offending value, at most 80 characters of it.
    public var offending: String? {
        switch self {
        case .Failed(_, _, _, let offending): offending
        }
    }

    public var description: String { reason }
    public var errorDescription: String? { reason }

    static func stalled(_ why: String) -> CounterfoilError {
        .Failed(
            code: "meter_stalled", reason: "a write's outcome is unknown (\(why))", place: nil,
            offending: nil)
    }

    static func abandoned(_ why: String) -> CounterfoilError {
        .Failed(
            code: "step_abandoned", reason: "step was abandoned (\(why))", place: nil, offending: nil)
    }
}

/// Thrown by a journal that cannot say whether it wrote the entry. The meter then takes no command
/// until `Meter.recover`.
public struct InDoubt: Error {
    public init() {}
}

/// Where entries become durable, in the order in which they are given.
public protocol Journal: AnyObject {
    /// Returns once the entry is durable. An error says that it was not written, and `InDoubt` that
    /// this is not known.
    func append(_ entry: Data) throws
}

/// A journal that forgets everything with the process: for tests and previews.
public final class MemoryJournal: Journal {
    /// Everything appended so far.
    public private(set) var entries: [Data] = []

    public init() {}

    public func append(_ entry: Data) {
        entries.append(entry)
    }
}
