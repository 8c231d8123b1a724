import Counterfoil
import Foundation

/// The vector itself is wrong.
struct Broken: Error {
    let why: String

    init(_ why: String) { self.why = why }
}

/// What vectors are made of: no numbers, on purpose.
indirect enum JSON: Codable {
    case null
    case bool(Bool)
    case text(String)
    case list([JSON])
    case object([String: JSON])

    init(from decoder: Decoder) throws {
        let value = try decoder.singleValueContainer()
        if value.decodeNil() {
            self = .null
        } else if let bool = try? value.decode(Bool.self) {
            self = .bool(bool)
        } else if let text = try? value.decode(String.self) {
            self = .text(text)
        } else if let list = try? value.decode([JSON].self) {
            self = .list(list)
        } else {
            self = .object(try value.decode([String: JSON].self))
        }
    }

    func encode(to encoder: Encoder) throws {
        var value = encoder.singleValueContainer()
        switch self {
        case .null: try value.encodeNil()
        case .bool(let bool): try value.encode(bool)
        case .text(let text): try value.encode(text)
        case .list(let list): try value.encode(list)
        case .object(let members): try value.encode(members)
        }
    }

    static func parse(_ data: Data) throws -> JSON {
        do { return try JSONDecoder().decode(JSON.self, from: data) } catch {
            throw Broken("no JSON: \(error)")
        }
    }

    /// Compact and sorted: equal documents have equal texts.
    var compact: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "?"
    }

    /// The same to the last code point; Swift's own `==` of texts is looser.
    func same(as other: JSON) -> Bool { Array(compact.utf8) == Array(other.compact.utf8) }

    subscript(name: String) -> JSON? {
        if case .object(let members) = self { members[name] } else { nil }
    }

    /// With every `@name.member` replaced by that member of an earlier result.
    func resolved(_ outs: JSON) throws -> JSON {
        switch self {
        case .text(let text) where text.hasPrefix("@"):
            return try text.dropFirst().split(separator: ".").reduce(outs) { found, part in
                let next: JSON? =
                    if case .list(let items) = found, let at = Int(part), at < items.count {
                        items[at]
                    } else {
                        found[String(part)]
                    }
                guard let next else { throw Broken("`\(text)` names nothing before this step") }
                return next
            }
        case .list(let items): return .list(try items.map { try $0.resolved(outs) })
        case .object(let members): return .object(try members.mapValues { try $0.resolved(outs) })
        default: return self
        }
    }

    /// Refuses members that are not named.
    func known(_ names: String) throws {
        guard case .object(let members) = self else { throw Broken("no object") }
        let names = names.split(separator: " ").map(String.init)
        if let name = members.keys.first(where: { !names.contains($0) }) {
            throw Broken("unknown member `\(name)`")
        }
    }

    func member(_ name: String) throws -> JSON {
        guard let member = self[name] else { throw Broken("`\(name)` is missing") }
        return member
    }

    func text(_ name: String) throws -> String {
        guard case .text(let text) = try member(name) else { throw Broken("`\(name)` is no text") }
        return text
    }

    /// A member that may be absent or null.
    func maybe(_ name: String) throws -> String? {
        switch self[name] {
        case nil, .null: nil
        default: try text(name)
        }
    }

    func flag(_ name: String) throws -> Bool {
        guard case .bool(let flag) = try member(name) else { throw Broken("`\(name)` is no flag") }
        return flag
    }

    func list(_ name: String) throws -> [JSON] {
        guard case .list(let list) = try member(name) else { throw Broken("`\(name)` is no list") }
        return list
    }

    func texts(_ name: String) throws -> [String] {
        try list(name).map {
            guard case .text(let text) = $0 else { throw Broken("`\(name)` holds no texts") }
            return text
        }
    }

    func texts(in name: String) throws -> [String: String] {
        guard case .object(let members) = try member(name) else { throw Broken("no `\(name)`") }
        return try members.mapValues {
            guard case .text(let text) = $0 else { throw Broken("`\(name)` holds no texts") }
            return text
        }
    }

    /// A map of integers that may be absent.
    func integers(in name: String) throws -> [String: UInt64] {
        guard self[name] != nil else { return [:] }
        return try texts(in: name).mapValues {
            guard let integer = UInt64($0) else { throw Broken("`\(name)` holds no integers") }
            return integer
        }
    }

    func integer<I: FixedWidthInteger>(_ name: String, _ kind: I.Type = I.self) throws -> I {
        let text = try text(name)
        guard let integer = I(text) else { throw Broken("`\(name)` is no integer: \(text)") }
        return integer
    }

    /// An instant; one that no integer holds is as impossible as the largest.
    func instant(_ name: String) throws -> Int64 { Int64(try text(name)) ?? Int64.max }

    func bytes(_ name: String) throws -> Data {
        let digits = Array(try text(name).dropFirst(2))
        return Data(
            try stride(from: 0, to: digits.count - 1, by: 2).map {
                guard let byte = UInt8(String(digits[$0...$0 + 1]), radix: 16) else {
                    throw Broken("`\(name)` is no bytes")
                }
                return byte
            })
    }

    func usage(_ name: String) throws -> Usage {
        let given = try member(name)
        try given.known("meters attributes surface basis")
        return Usage(
            meters: try given.texts(in: "meters").mapValues { UInt64($0) ?? UInt64.max },
            attributes: given["attributes"] == nil ? [:] : try given.texts(in: "attributes"),
            surface: try given.maybe("surface") ?? "plain",
            basis: try given.maybe("basis") ?? "measured")
    }

    func channel(_ name: String) throws -> Channel {
        let given = try member(name)
        try given.known(
            "payer payerAuthorizer receiver receiverAuthorizer token withdrawDelay salt")
        return Channel(
            payer: try given.text("payer"),
            payerAuthorizer: try given.text("payerAuthorizer"),
            receiver: try given.text("receiver"),
            receiverAuthorizer: try given.text("receiverAuthorizer"),
            token: try given.text("token"),
            withdrawDelay: try given.integer("withdrawDelay"),
            salt: try given.text("salt"))
    }

    func voucher() throws -> Voucher {
        Voucher(
            channel: try channel("channel"), maxClaimable: try integer("maxClaimable"),
            signature: try text("signature"))
    }
}

/// The place, where it is the same in every implementation.
func sharedPlace(_ place: String?) -> String? {
    guard let place, !place.isEmpty else { return place }
    if place.hasPrefix("entry ") { return place.components(separatedBy: ": ").first }
    return ["/", "lane ", "checkpoint "].contains(where: place.hasPrefix) ? place : nil
}

func hex(_ bytes: Data) -> JSON {
    .text("0x" + bytes.map { String(format: "%02x", $0) }.joined())
}

/// Decimal text.
func number(_ integer: some BinaryInteger) -> JSON { .text(String(integer)) }

func maybe(_ text: String?) -> JSON { text.map(JSON.text) ?? .null }

func sign(_ request: SignRequest?) -> JSON {
    guard let request else { return .null }
    return .object([
        "slot": number(request.slot()),
        "digest": .text(request.digest()),
        "signer": .text(request.signer()),
        "checkpoint": .bool(request.isCheckpoint()),
    ])
}

func opened(_ done: Opened) -> JSON {
    .object([
        "subscription": .text(done.subscription), "lane": .text(done.lane), "sign": sign(done.sign),
    ])
}

func denied(_ denial: Denial) -> JSON {
    .object([
        "denied": .object([
            "code": .text(denial.code),
            "rule": .text(denial.rule),
            "value": maybe(denial.value),
            "start": denial.window.map { number($0.start) } ?? .null,
            "end": denial.window.map { number($0.end) } ?? .null,
            "meter": maybe(denial.meter),
            "most": maybe(denial.most),
            "spent": maybe(denial.spent),
            "needed": maybe(denial.needed),
            "available": maybe(denial.available),
            "retryAt": denial.retryAt.map { number($0) } ?? .null,
        ])
    ])
}

func replayed(_ replay: Replay) -> JSON {
    .object([
        "replayed": .object([
            "state": .text("\(replay.state)"), "receipt": maybe(replay.receipt),
        ])
    ])
}

func receipt(_ issued: Issued) -> JSON {
    let head = issued.receipt.head()
    var price: (exact: String, remainder: UInt64, uncollected: String, late: Bool) = (
        "0", 0, "0", false
    )
    for item in issued.receipt.items() {
        switch item {
        case .price(let exact, _, let after, let uncollected, let late):
            price = (exact, after, uncollected, late)
        case .correction(_, _, _, _, _, let exact, _, let after):
            price = (exact, after, "0", false)
        case .credit(_, _, _, let exact, _, let after):
            price = (exact, after, "0", false)
        default: break
        }
    }
    return .object([
        "digest": .text(issued.digest),
        "position": number(issued.position),
        "lane": .text(head.lane),
        "sequence": number(head.sequence),
        "kind": .text(head.kind),
        "subject": .text(head.subject),
        "authorizedAt": number(head.authorizedAt),
        "issuedAt": number(head.issuedAt),
        "charge": number(head.charge),
        "cumulative": number(head.cumulative),
        "credited": number(head.credited),
        "exact": .text(price.exact),
        "remainder": number(price.remainder),
        "uncollected": .text(price.uncollected),
        "late": .bool(price.late),
        "body": .text(head.body),
        "sign": sign(issued.sign),
        "crossed": .list(
            issued.crossed.map {
                .object([
                    "limit": .text($0.limit),
                    "value": maybe($0.value),
                    "fraction": .text($0.fraction),
                    "start": number($0.window.start),
                    "end": number($0.window.end),
                ])
            }),
    ])
}

/// The one member of a result of several kinds.
func outcome(_ done: Outcome) throws -> JSON {
    switch done {
    case .nothing: return .object(["nothing": .object([:])])
    case .denied(let denial): return denied(denial)
    case .replayed(let replay): return replayed(replay)
    case .receipt(let issued): return .object(["receipt": receipt(issued)])
    case .released(let released):
        return .object(["released": .object(["subject": .text(released.subject)])])
    case .opened(let done): return .object(["opened": opened(done)])
    case .checkpointed(let made):
        let checkpoint = made.checkpoint
        return .object([
            "checkpoint": .object([
                "origin": .text(checkpoint.origin),
                "size": number(checkpoint.size),
                "root": .text(checkpoint.root),
                "lanes": .text(checkpoint.lanes),
                "time": number(checkpoint.time),
                "sign": sign(made.sign),
            ])
        ])
    case .leased(let made):
        return .object([
            "leased": .object([
                "lease": .text(made.lease), "bytes": hex(made.bytes), "sign": sign(made.sign),
            ])
        ])
    case .reclaimed(let made):
        return .object(["reclaimed": .object(["lease": .text(made.lease)])])
    case .extended(let extended):
        return .object([
            "extended": .object([
                "subject": .text(extended.subject), "deadline": number(extended.deadline),
            ])
        ])
    case .authorized, .cancelled, .stated, .voided, .done: throw Broken("no result: \(done)")
    }
}
