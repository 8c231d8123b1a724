import Counterfoil
import Foundation

/// A journal that works, fails, or leaves in doubt.
final class Scripted: Journal {
    var entries: [Data]
    var mode = "works"
    var doubtful: Data?

    init(_ entries: [Data]) { self.entries = entries }

    func append(_ entry: Data) throws {
        switch mode {
        case "fails": throw CocoaError(.fileWriteOutOfSpace)
        case "doubt":
            doubtful = entry
            throw InDoubt()
        default: entries.append(entry)
        }
    }
}

/// What a vector calls a meter.
final class Host {
    let journal: Scripted
    let meter: Meter

    init(_ saltKey: Data, _ entries: some Sequence<Data> = []) throws {
        journal = Scripted(Array(entries))
        meter = try Meter(journal: journal, saltKey: saltKey)
        try journal.entries.forEach { try meter.replay($0) }
    }
}

/// The objects of one vector by name, and one arm per operation of `spec/surface.json`.
final class Script {
    private var objects: [String: Any] = [:]
    private var outs: [String: JSON] = [:]
    private var made: Any?

    func run(_ step: JSON) throws -> JSON {
        try step.known("op in as out error")
        made = nil
        let out = try arm(try step.text("op"), try step.member("in").resolved(.object(outs)))
        if let name = try step.maybe("as") {
            outs[name] = out
            objects[name] = made
        }
        return out
    }

    private func get<T>(_ given: JSON, _ name: String, _ kind: T.Type = T.self) throws -> T {
        guard let object = objects[try given.text(name)] as? T else {
            throw Broken("no such `\(name)`")
        }
        return object
    }

    private func meter(_ given: JSON) throws -> Meter {
        let host = try get(given, "meter", Host.self)
        host.journal.mode = try given.maybe("journal") ?? "works"
        return host.meter
    }

    /// Remembers what a later step may refer to.
    private func keep(_ done: Outcome) -> Outcome {
        switch done {
        case .receipt(let issued): made = issued.receipt
        case .checkpointed(let checkpointed): made = checkpointed.checkpoint
        default: break
        }
        return done
    }

    private func arm(_ op: String, _ given: JSON) throws -> JSON {
        switch op {
        case "money.round":
            try given.known("rounding exact carried")
            let modes: [String: Rounding] = [
                "carry": .carry, "up": .up, "down": .down, "half_even": .halfEven,
            ]
            guard let rounding = modes[try given.text("rounding")] else { throw Broken("rounding") }
            let billed = try bill(
                rounding: rounding, exact: try given.text("exact"),
                carried: try given.integer("carried"))
            return .object([
                "amount": number(billed.amount), "remainder": number(billed.remainder),
            ])
        case "usage.read":
            try given.known("surface body")
            let usage = try readUsage(
                surface: try given.text("surface"), body: try given.text("body"))
            return .object([
                "meters": .object(usage.meters.mapValues { number($0) }),
                "attributes": .object(usage.attributes.mapValues { .text($0) }),
            ])
        case "usage.map":
            try given.known("mapping event")
            let usage = try mapUsage(
                mapping: try given.text("mapping"), event: try given.text("event"))
            return .object([
                "meters": .object(usage.meters.mapValues { number($0) }),
                "attributes": .object(usage.attributes.mapValues { .text($0) }),
            ])
        case "usage.stream":
            try given.known("surface events")
            let stream = try UsageStream(surface: try given.text("surface"))
            for event in try given.texts("events") { try stream.feed(event: event) }
            let usage = try stream.usage()
            return .object([
                "complete": .bool(stream.isComplete()),
                "basis": .text(usage.basis),
                "meters": .object(usage.meters.mapValues { number($0) }),
                "attributes": .object(usage.attributes.mapValues { .text($0) }),
            ])
        case "plan.load":
            try given.known("text")
            let plan = try Plan.fromJson(document: try given.text("text"))
            made = plan
            return .object([
                "id": .text(plan.id()),
                "name": .text(plan.name()),
                "authority": .text(plan.authority()),
                "currency": .text(plan.currency().id),
                "decimals": number(plan.currency().decimals),
            ])
        case "plan.quote":
            try given.known("plan usage at")
            let plan = try get(given, "plan", Plan.self)
            let quote = try plan.quote(usage: try given.usage("usage"), at: try given.instant("at"))
            let lines = quote.lines.map {
                JSON.object([
                    "charge": .text($0.charge),
                    "meter": .text($0.meter),
                    "units": number($0.units),
                    "amount": .text($0.amount),
                ])
            }
            return .object([
                "first": .text(quote.first), "ceiling": .text(quote.ceiling), "lines": .list(lines),
            ])
        case "key.load":
            try given.known("secret")
            let key = try LocalKey(secret: try given.bytes("secret"))
            made = key
            return .object(["address": .text(key.address())])
        case "key.sign":
            try given.known("key digest")
            let key = try get(given, "key", LocalKey.self)
            return .object(["signature": .text(try key.sign(digest: try given.text("digest")))])
        case "evidence.sign":
            try given.known("key payer seller statement issuedAt expiresAt attestor")
            let key = try get(given, "key", LocalKey.self)
            let evidence = Evidence(
                payer: try given.text("payer"), seller: try given.text("seller"),
                statement: try given.text("statement"), issuedAt: try given.instant("issuedAt"),
                expiresAt: try given.instant("expiresAt"))
            let digest = try evidenceDigest(evidence: evidence)
            let attestor = try given.maybe("attestor") ?? key.address()
            let signed = try VerifiedEvidence.verify(
                evidence: evidence, attestor: attestor, signature: try key.sign(digest: digest))
            return .object([
                "digest": .text(digest),
                "typedData": .text(try evidenceTypedData(evidence: evidence)),
                "json": .text(signed.toJson()),
            ])
        case "evidence.read":
            try given.known("text")
            let read = try VerifiedEvidence.fromJson(document: try given.text("text"))
            let stated = read.evidence()
            return .object([
                "digest": .text(read.digest()), "attestor": .text(read.attestor()),
                "payer": .text(stated.payer), "seller": .text(stated.seller),
                "statement": .text(stated.statement), "issuedAt": number(stated.issuedAt),
                "expiresAt": number(stated.expiresAt),
            ])
        case _ where op.hasPrefix("meter."): return try meterArm(op, given)
        case "receipt.header":
            try given.known("receipt key")
            return .object(["header": .text(try signed(given).toHeader())])
        case "receipt.json":
            try given.known("receipt key")
            return .object(["json": .text(try signed(given).toJson())])
        case "receipt.verify":
            try given.known("header json signer change")
            let received: Receipt
            switch (try changed(given, "header"), try changed(given, "json")) {
            case (let header?, nil): received = try Receipt.fromHeader(header: header)
            case (nil, let document?): received = try Receipt.fromJson(document: document)
            default: throw Broken("give `header` or `json`")
            }
            let verified = try received.verify(signer: try given.text("signer"))
            made = verified
            let head = verified.head()
            return .object([
                "digest": .text(verified.digest()),
                "sequence": number(head.sequence),
                "charge": number(head.charge),
                "cumulative": number(head.cumulative),
                "hasBody": .bool(verified.items() != nil),
            ])
        case "receipt.follows":
            try given.known("receipt previous")
            let receipt = try get(given, "receipt", VerifiedReceipt.self)
            try receipt.follows(previous: try get(given, "previous"))
            return .object([:])
        case "checkpoint.verify":
            try given.known("checkpoint key signer")
            let checkpoint = try get(given, "checkpoint", Checkpoint.self)
            let digest = try checkpointDigest(checkpoint: checkpoint)
            let verified = try VerifiedCheckpoint.verify(
                checkpoint: checkpoint,
                signature: try get(given, "key", LocalKey.self).sign(digest: digest),
                signer: try given.text("signer"))
            return .object(["digest": .text(verified.digest()), "note": .text(verified.note())])
        case "log.root":
            try given.known("heads")
            return .object(["root": .text(try logRoot(heads: try given.texts("heads")))])
        case "log.inclusion":
            try given.known("heads index")
            let path = try proveInclusion(
                heads: try given.texts("heads"), index: try given.integer("index"))
            return .object(["path": .list(path.map { .text($0) })])
        case "log.verifyInclusion":
            try given.known("head index size path root")
            try verifyInclusion(
                head: try given.text("head"), index: try given.integer("index"),
                size: try given.integer("size"), path: try given.texts("path"),
                root: try given.text("root"))
            return .object([:])
        case "log.consistency":
            try given.known("heads oldSize")
            let path = try proveConsistency(
                heads: try given.texts("heads"), oldSize: try given.integer("oldSize"))
            return .object(["path": .list(path.map { .text($0) })])
        case "log.verifyConsistency":
            try given.known("oldSize oldRoot newSize newRoot path")
            try verifyConsistency(
                oldSize: try given.integer("oldSize"), oldRoot: try given.text("oldRoot"),
                newSize: try given.integer("newSize"), newRoot: try given.text("newRoot"),
                path: try given.texts("path"))
            return .object([:])
        case "ledger.audit": return try audit(given)
        case "ledger.settle": return try settle(given)
        case "ledger.duplicates": return try duplicates(given)
        case "payout.verify":
            try given.known("root payee token cumulative proof")
            let payout = Payout(
                payee: try given.text("payee"), token: try given.text("token"),
                cumulative: try given.integer("cumulative"), proof: try given.texts("proof"))
            try verifyPayout(root: try given.text("root"), payout: payout)
            return .object([:])
        case "x402.channel":
            try given.known("chainId channel")
            let id = try channelId(
                chainId: try given.integer("chainId"), channel: try given.channel("channel"))
            return .object(["id": .text(id)])
        case "x402.voucher":
            try given.known("chainId channel maxClaimable signature")
            let (chain, voucher) = (try given.integer("chainId", UInt64.self), try given.voucher())
            let check = try verifyVoucher(chainId: chain, voucher: voucher)
            let digest = try voucherDigest(
                chainId: chain, channel: voucher.channel, maxClaimable: voucher.maxClaimable)
            let verified = if case .verified = check { true } else { false }
            return .object([
                "digest": .text(digest), "check": .text(verified ? "verified" : "ask_payer"),
            ])
        case "x402.claim":
            try given.known("chainId rows")
            let rows = try given.list("rows").map {
                try $0.known("channel maxClaimable signature totalClaimed")
                return ClaimRow(
                    voucher: try $0.voucher(), totalClaimed: try $0.integer("totalClaimed"))
            }
            let digest = try claimDigest(chainId: try given.integer("chainId"), claims: rows)
            return .object([
                "digest": .text(digest), "calldata": hex(try claimCalldata(claims: rows)),
            ])
        default: throw Broken("unknown operation \(op)")
        }
    }

    private func meterArm(_ op: String, _ given: JSON) throws -> JSON {
        switch op {
        case "meter.new":
            try given.known("saltKey")
            made = try Host(try given.bytes("saltKey"))
            return .object([:])
        case "meter.begin":
            try given.known("meter origin signer now journal")
            try meter(given).begin(
                origin: try given.text("origin"), signer: try given.text("signer"),
                now: try given.instant("now"))
            return .object([:])
        case "meter.addPlan":
            try given.known("meter plan now journal")
            try meter(given).add(try get(given, "plan"), now: try given.instant("now"))
            return .object([:])
        case "meter.subscribe":
            try given.known("meter plan payer account startedAt rail now journal")
            return opened(
                try meter(given).subscribe(
                    try given.text("plan"), payer: try given.maybe("payer"),
                    account: try given.maybe("account"), startedAt: try given.instant("startedAt"),
                    rail: try given.maybe("rail"), now: try given.instant("now")))
        case "meter.authorize":
            try given.known("meter subscription id createdAt content retry most now journal")
            let created = try given.maybe("createdAt") == nil ? nil : given.instant("createdAt")
            let answer = try meter(given).authorize(
                try given.text("subscription"), try given.text("id"), most: try given.usage("most"),
                createdAt: created, content: try given.maybe("content"),
                retry: try given["retry"] != nil && given.flag("retry"), now: try given.instant("now"))
            switch answer {
            case .denied(let denial): return denied(denial)
            case .replayed(let replay): return replayed(replay)
            case .hold(let hold):
                return .object([
                    "authorized": .object([
                        "subject": .text(hold.subject),
                        "lane": .text(hold.lane),
                        "deadline": number(hold.deadline),
                        "reserved": .text(hold.reserved),
                    ])
                ])
            }
        case "meter.settle":
            try given.known("meter subscription id usage content now journal")
            let done = try meter(given).settle(
                try given.text("subscription"), try given.text("id"), try given.usage("usage"),
                content: try given.maybe("content"), now: try given.instant("now"))
            return try outcome(keep(done))
        case "meter.settlePart":
            try given.known("meter subscription id usage content now journal")
            let done = try meter(given).settlePart(
                try given.text("subscription"), try given.text("id"), try given.usage("usage"),
                content: try given.maybe("content"), now: try given.instant("now"))
            return try outcome(keep(done))
        case "meter.settleUnfinished":
            try given.known("meter subscription id now journal")
            let done = try meter(given).settleUnfinished(
                try given.text("subscription"), try given.text("id"), now: try given.instant("now"))
            return try outcome(keep(done))
        case "meter.extend":
            try given.known("meter subscription id most now journal")
            let most = given["most"] == nil ? nil : try given.usage("most")
            return try outcome(
                meter(given).extend(
                    try given.text("subscription"), try given.text("id"), most: most,
                    now: try given.instant("now")))
        case "meter.holds":
            try given.known("meter subscription")
            guard let holds = try meter(given).holds(try given.text("subscription")) else {
                throw absent("subscription_unknown")
            }
            let found = holds.map {
                JSON.object([
                    "subject": .text($0.subject),
                    "state": .text($0.state),
                    "authorizedAt": number($0.authorizedAt),
                    "deadline": number($0.deadline),
                    "parts": number($0.parts),
                    "charged": .text($0.charged),
                ])
            }
            return .object(["holds": .list(found)])
        case "meter.leases":
            try given.known("meter subscription")
            guard let leases = try meter(given).leases(try given.text("subscription")) else {
                throw absent("subscription_unknown")
            }
            let found = leases.map { lease in
                let charges = lease.charges.map {
                    JSON.object([
                        "charge": .text($0.charge),
                        "counter": number($0.counter),
                        "units": number($0.units),
                        "used": number($0.used),
                    ])
                }
                let limits = lease.limits.map {
                    JSON.object(["limit": .text($0.limit), "most": number($0.most)])
                }
                let stated = lease.stated.map {
                    JSON.object([
                        "sequence": number($0.sequence),
                        "cumulative": .text($0.cumulative),
                        "at": number($0.at),
                    ])
                }
                return JSON.object([
                    "lease": .text(lease.lease),
                    "holder": .text(lease.holder),
                    "at": number(lease.at),
                    "until": number(lease.until),
                    "reclaimedAt": number(lease.reclaimedAt),
                    "charges": .list(charges),
                    "limits": .list(limits),
                    "stated": stated ?? .null,
                ])
            }
            return .object(["leases": .list(found)])
        case "meter.release":
            try given.known("meter subscription id reason now journal")
            let reasons = ["released": false, "unknown": true]
            guard let unknown = reasons[try given.text("reason")] else { throw Broken("reason") }
            let released = try meter(given).release(
                try given.text("subscription"), try given.text("id"), unknown: unknown,
                now: try given.instant("now"))
            return .object(["subject": .text(released.subject)])
        case "meter.import":
            try given.known(
                "meter subscription at usage content input ordinal offset digest journal")
            let mark = Mark(
                input: try given.text("input"), ordinal: try given.integer("ordinal"),
                offset: try given.integer("offset"), digest: try given.text("digest"))
            let done = try meter(given).importRecord(
                try given.text("subscription"), try given.usage("usage"), mark: mark,
                at: try given.instant("at"), content: try given.maybe("content"))
            return try outcome(keep(done))
        case "meter.due":
            try given.known("meter now journal")
            return try outcome(keep(try meter(given).due(now: try given.instant("now"))))
        case "meter.checkpoint":
            try given.known("meter journal")
            let done = try meter(given).checkpoint()
            return try outcome(keep(done.map { .checkpointed(value: $0) } ?? .nothing))
        case "meter.collect":
            try given.known("meter lane amount fee reference at journal")
            try meter(given).collect(
                lane: try given.text("lane"), amount: try given.integer("amount"),
                fee: try given.integer("fee"), reference: try given.text("reference"),
                at: try given.instant("at"))
            return .object([:])
        case "meter.grant":
            try given.known("meter subscription terms now journal")
            try meter(given).grant(
                try given.text("subscription"), terms: try given.text("terms"),
                now: try given.instant("now"))
            return .object([:])
        case "meter.void":
            try given.known("meter subscription grant now journal")
            let voided = try meter(given).void(
                try given.text("subscription"), grant: try given.text("grant"),
                now: try given.instant("now"))
            return .object(["refund": number(voided.refund)])
        case "meter.cancel":
            try given.known("meter subscription now journal")
            let done = try meter(given).cancel(
                try given.text("subscription"), now: try given.instant("now"))
            return .object(["endsAt": done.endsAt.map { number($0) } ?? .null])
        case "meter.switch":
            try given.known("meter subscription plan now journal")
            return opened(
                try meter(given).switch(
                    try given.text("subscription"), to: try given.text("plan"),
                    now: try given.instant("now")))
        case "meter.present":
            try given.known("meter subscription evidence now journal")
            try meter(given).present(
                try given.text("subscription"), evidence: try given.text("evidence"),
                now: try given.instant("now"))
            return .object([:])
        case "meter.credit":
            try given.known("meter subscription id json amount reason now journal")
            let receipt = try Receipt.fromJson(document: try given.text("json"))
            let done = try meter(given).credit(
                try given.text("subscription"), try given.text("id"), receipt,
                reason: try given.text("reason"), amount: try given.maybe("amount"),
                now: try given.instant("now"))
            return try outcome(keep(done))
        case "meter.lease":
            try given.known(
                "meter subscription holder until units limits attributes now journal")
            let request = LeaseRequest(
                subscription: try given.text("subscription"), holder: try given.text("holder"),
                until: try given.instant("until"), units: try given.integers(in: "units"),
                limits: try given.integers(in: "limits"),
                attributes: given["attributes"] == nil ? [:] : try given.texts(in: "attributes"))
            return try outcome(try meter(given).lease(request, now: try given.instant("now")))
        case "meter.accept":
            try given.known("meter lease signature rail now journal")
            return opened(
                try meter(given).accept(
                    lease: try given.bytes("lease"), signature: try given.text("signature"),
                    rail: try given.maybe("rail"), now: try given.instant("now")))
        case "meter.statement":
            try given.known("meter lease closing now journal")
            let stated = try meter(given).statement(
                try given.text("lease"), closing: try given.flag("closing"),
                now: try given.instant("now"))
            return .object(["statement": hex(stated.statement), "sign": sign(stated.sign)])
        case "meter.absorb":
            try given.known("meter statement signature now journal")
            try meter(given).absorb(
                statement: try given.bytes("statement"), signature: try given.text("signature"),
                now: try given.instant("now"))
            return .object([:])
        case "meter.recover":
            try given.known("meter written")
            let host = try get(given, "meter", Host.self)
            if try given.flag("written"), let doubtful = host.journal.doubtful {
                host.journal.entries.append(doubtful)
            }
            host.journal.doubtful = nil
            try host.meter.recover(durable: UInt64(host.journal.entries.count))
            return .object(["entries": number(host.meter.entries)])
        case "meter.entries":
            try given.known("meter")
            let entries = try get(given, "meter", Host.self).journal.entries
            var joined = Data()
            for entry in entries {
                withUnsafeBytes(of: UInt32(entry.count).bigEndian) { joined.append(contentsOf: $0) }
                joined.append(entry)
            }
            return .object(["count": number(entries.count), "sha256": hex(sha256(joined))])
        case "meter.replay":
            try given.known("meter saltKey")
            return try folded(given, Int.max)
        case "meter.restore":
            try given.known("meter saltKey entries")
            return try folded(given, try given.integer("entries"))
        case "meter.lane":
            try given.known("meter lane")
            guard let lane = try meter(given).lane(try given.text("lane")) else {
                throw absent("entry_misplaced")
            }
            return .object([
                "number": number(lane.number),
                "sequence": number(lane.sequence),
                "head": .text(lane.head),
                "cumulative": .text(lane.cumulative),
                "credited": .text(lane.credited),
                "collected": number(lane.collected),
                "fee": number(lane.fee),
            ])
        case "meter.subscription":
            try given.known("meter subscription")
            guard let view = try meter(given).subscription(try given.text("subscription")) else {
                throw absent("subscription_unknown")
            }
            let counters = view.counters.map {
                JSON.object([
                    "charge": .text($0.charge),
                    "start": number($0.window.start),
                    "end": number($0.window.end),
                    "units": number($0.units),
                    "billed": .text($0.billed),
                ])
            }
            let grants = view.grants.map {
                JSON.object([
                    "grant": .text($0.grant),
                    "kind": .text($0.kind),
                    "meter": maybe($0.meter),
                    "givenAt": number($0.givenAt),
                    "expiresAt": $0.expiresAt.map { number($0) } ?? .null,
                    "balance": .text($0.balance),
                    "reserved": number($0.reserved),
                ])
            }
            return .object([
                "lane": .text(view.lane),
                "denied": number(view.denied),
                "holds": number(view.holds),
                "endsAt": view.endsAt.map { number($0) } ?? .null,
                "reserved": .text(view.reserved),
                "counters": .list(counters),
                "grants": .list(grants),
            ])
        default: throw Broken("unknown operation \(op)")
        }
    }

    private func absent(_ code: String) -> CounterfoilError {
        .Failed(code: code, reason: "not there", place: nil, offending: nil)
    }

    private func folded(_ given: JSON, _ count: Int) throws -> JSON {
        let entries = try get(given, "meter", Host.self).journal.entries
        let host = try Host(try given.bytes("saltKey"), entries.prefix(count))
        made = host
        return .object(["entries": number(host.meter.entries)])
    }

    private func signed(_ given: JSON) throws -> Receipt {
        let receipt = try get(given, "receipt", Receipt.self)
        guard try given.maybe("key") != nil else { return receipt }
        let key = try get(given, "key", LocalKey.self)
        return try receipt.signed(signature: try key.sign(digest: receipt.digest()))
    }

    private func audit(_ given: JSON) throws -> JSON {
        try given.known("meter key change")
        let key = try get(given, "key", LocalKey.self)
        let entries = try get(given, "meter", Host.self).journal.entries
        // The slots of the ledger as it was: what each entry wanted signed.
        let fresh = try Meter(journal: MemoryJournal(), saltKey: Data(count: 32))
        var slots: [String: String] = [:]
        for wanted in try entries.compactMap({ try fresh.replay($0) }) {
            slots["\(wanted.isCheckpoint()) \(wanted.slot())"] = try key.sign(digest: wanted.digest())
        }
        let auditor = Auditor()
        for entry in try damaged(entries, given["change"]) {
            guard let expected = try auditor.next(entry: entry) else { continue }
            try expected.check(signature: slots["\(expected.isCheckpoint()) \(expected.slot())"])
        }
        let counts = auditor.counts()
        return .object([
            "entries": number(counts.entries),
            "receipts": number(counts.receipts),
            "denied": number(counts.denied),
            "checkpoints": number(counts.checkpoints),
            "unproven": number(auditor.unproven()),
        ])
    }

    private func damaged(_ journal: [Data], _ change: JSON?) throws -> [Data] {
        guard let change else { return journal }
        var entries = journal
        func at(_ name: String) throws -> Int? {
            if change[name] == nil { return nil }
            try change.known("\(name) flip")
            let at = try change.integer(name, Int.self)
            if at >= entries.count { throw Broken("a change beyond the journal") }
            return at
        }
        if let at = try at("drop") {
            entries.remove(at: at)
        } else if let at = try at("repeat") {
            entries.insert(entries[at], at: at)
        } else if let at = try at("swap") {
            entries.swapAt(at, at + 1)
        } else if let at = try at("entry") {
            let flip = try change.member("flip")
            try flip.known("byte mask")
            let byte = entries[at].startIndex + (try flip.integer("byte", Int.self))
            entries[at][byte] ^= try flip.integer("mask", UInt8.self)
        } else {
            throw Broken("no change")
        }
        return entries
    }

    private func changed(_ given: JSON, _ name: String) throws -> String? {
        guard let text = try given.maybe(name), let change = given["change"] else {
            return try given.maybe(name)
        }
        try change.known("find with")
        guard let found = text.range(of: try change.text("find")) else { return text }
        return text.replacingCharacters(in: found, with: try change.text("with"))
    }

    private func duplicates(_ given: JSON) throws -> JSON {
        try given.known("meters")
        let all = Duplicates()
        for name in try given.texts("meters") {
            guard let host = objects[name] as? Host else { throw Broken("no such `\(name)`") }
            try host.journal.entries.forEach { try all.add(entry: $0) }
        }
        func charge(_ of: LaneCharge) -> JSON {
            let receipts = of.receipts.map {
                JSON.object(["sequence": number($0.sequence), "digest": .text($0.digest)])
            }
            return .object([
                "lane": .text(of.lane), "issuedAt": number(of.issuedAt),
                "receipts": .list(receipts),
            ])
        }
        let found = try all.list().map {
            JSON.object([
                "subscription": .text($0.subscription),
                "subject": .text($0.subject),
                "kept": charge($0.kept),
                "extra": charge($0.extra),
                "resolved": .bool($0.resolved),
            ])
        }
        return .object(["duplicates": .list(found)])
    }

    private func settle(_ given: JSON) throws -> JSON {
        try given.known("meter extent closing")
        let host = try get(given, "meter", Host.self)
        let extents: [String: Extent] = ["collected": .collected, "everything": .everything]
        guard let extent = extents[try given.text("extent")] else { throw Broken("extent") }
        let batch = try host.meter.batch(extent)
        try host.journal.entries.forEach { try batch.add(entry: $0) }
        let settled = try batch.settle(closing: try given.flag("closing"))
        let totals = settled.totals()
        let payees = settled.payees().map {
            JSON.object([
                "payee": .text($0.payee), "payable": number($0.payable), "owed": number($0.owed),
            ])
        }
        return .object([
            "currency": .text(settled.currency().id),
            "gross": number(totals.gross),
            "credited": number(totals.credited),
            "collected": number(totals.collected),
            "fees": number(totals.fees),
            "claimable": number(totals.claimable),
            "owed": number(totals.owed),
            "held": number(totals.held),
            "sold": number(totals.sold),
            "refunded": number(totals.refunded),
            "spent": number(totals.spent),
            "unearned": number(totals.unearned),
            "payouts": number(totals.payouts),
            "residue": number(totals.residue),
            "payees": .list(payees),
            "root": maybe(settled.root()),
            "commitment": .text(settled.commitment()),
        ])
    }
}
