import Counterfoil
import Foundation
import XCTest

let plan = """
    {
      "format": "counterfoil/plan/1",
      "name": "Test",
      "authority": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
      "currency": {"iso4217": "USD"},
      "meters": {"requests": "call"},
      "charges": [{"id": "calls", "meter": "requests", "model": "per_unit", "price": "0.004"}],
      "limits": [{"id": "cap", "spend": "10", "window": "month"}],
      "payees": [{"payee": "model", "weight": 1}],
      "signing": {"mode": "each"}
    }
    """
let secret = Data([
    0x59, 0xc6, 0x99, 0x5e, 0x99, 0x8f, 0x97, 0xa5, 0xa0, 0x04, 0x49, 0x66, 0xf0, 0x94, 0x53, 0x89,
    0xdc, 0x9e, 0x86, 0xda, 0xe8, 0x8c, 0x7a, 0x84, 0x12, 0xf4, 0x60, 0x3b, 0x6b, 0x78, 0x69, 0x0d,
])
let now: Int64 = 1_790_000_000_000
let one = Usage(meters: ["requests": 1])

/// A journal whose next append does something else first.
final class Odd: Journal, @unchecked Sendable {
    var entries: [Data] = []
    var first: ((Data) throws -> Void)?

    func append(_ entry: Data) throws {
        if let first {
            self.first = nil
            try first(entry)
        }
        entries.append(entry)
    }
}

struct Full: Error {}

final class MeterTests: XCTestCase {
    var journal: Odd!
    var key: LocalKey!
    var meter: Meter!
    var subscription = ""

    override func setUpWithError() throws {
        journal = Odd()
        key = try LocalKey(secret: secret)
        meter = try Meter(journal: journal, saltKey: Data(count: 32), patience: 0.3) { now }
        try meter.begin(origin: "test/log", signer: key.address())
        let plan = try Plan.fromJson(document: plan)
        try meter.add(plan)
        subscription = try meter.subscribe(plan.id(), account: "ada").subscription
    }

    func authorize(_ id: String, _ meter: Meter? = nil) throws -> Hold {
        let answer = try (meter ?? self.meter).authorize(subscription, id, most: one)
        guard case .hold(let hold) = answer else { throw Full() }
        return hold
    }

    func reserved() throws -> String? { try meter.subscription(subscription)?.reserved }

    func fails<T>(_ code: String, line: UInt = #line, _ run: () throws -> T) {
        XCTAssertThrowsError(try run(), line: line) { error in
            XCTAssertEqual((error as? CounterfoilError)?.code, code, "\(error)", line: line)
        }
    }

    func replayed() throws -> Data {
        let fresh = try Meter(journal: MemoryJournal(), saltKey: Data(count: 32))
        try journal.entries.forEach { try fresh.replay($0) }
        return fresh.snapshot()
    }

    func testACallIsAuthorisedSettledSignedAndVerified() throws {
        let issued = try authorize("r1").use { hold in
            XCTAssertEqual(hold.reserved, "0.4")
            return try XCTUnwrap(try hold.settle(one).issued)
        }
        XCTAssertEqual(try reserved(), "0")
        let request = try XCTUnwrap(issued.sign)
        let signature = try request.accept(signature: try key.sign(digest: issued.digest))
        let header = try issued.receipt.signed(signature: signature).toHeader()
        let verified = try Receipt.fromHeader(header: header).verify(signer: key.address())
        XCTAssertEqual(verified.digest(), issued.digest)
        guard case .replayed(let replay) = try meter.settle(subscription, "r1", one) else {
            return XCTFail("no replay")
        }
        XCTAssertEqual(replay.receipt, issued.digest)
        XCTAssertEqual(try replayed(), meter.snapshot())
    }

    func testADenialSaysWhyAndRecordsNothing() throws {
        let before = journal.entries.count
        let answer = try meter.authorize(subscription, "r1", most: Usage(meters: ["requests": 2501]))
        guard case .denied(let denial) = answer else { return XCTFail("no denial") }
        XCTAssertEqual([denial.code, denial.rule], ["limit_reached", "limits/cap"])
        XCTAssertEqual(try httpStatus(denial: denial), 402)
        XCTAssertEqual(journal.entries.count, before)
    }

    func testLeavingTheScopeWithoutSettlingMarksTheOutcomeUnknown() throws {
        try authorize("r1").use { _ in }
        XCTAssertThrowsError(try authorize("r2").use { _ in throw Full() }) { error in
            XCTAssertTrue(error is Full)
        }
        XCTAssertEqual(try reserved(), "0.8")
        try authorize("r3").use { _ = try $0.release() }
        XCTAssertEqual(try reserved(), "0.8")
        XCTAssertNotNil(try meter.settle(subscription, "r1", one).issued)
    }

    func testAJournalThatFailsAbandonsTheStep() throws {
        let before = journal.entries
        journal.first = { _ in throw Full() }
        XCTAssertThrowsError(try authorize("r1")) { error in
            let error = error as? CounterfoilError
            XCTAssertEqual(error?.code, "step_abandoned")
            XCTAssertTrue(error?.reason.contains("Full") ?? false)
        }
        XCTAssertEqual(journal.entries, before)
        XCTAssertEqual(try reserved(), "0")
        let hold = try authorize("r1")
        journal.first = { _ in throw Full() }
        fails("step_abandoned") { try hold.settle(one) }
        XCTAssertEqual(try reserved(), "0.4")
        XCTAssertNotNil(try hold.settle(one).issued)
    }

    func testAJournalInDoubtStallsUntilTheDoubtEnds() throws {
        for written in [true, false] {
            var lost = Data()
            journal.first = { lost = $0; throw InDoubt() }
            fails("meter_stalled") { try authorize("written \(written)") }
            fails("meter_stalled") { try authorize("other") }
            let before = try reserved()
            fails("entry_misplaced") {
                try meter.recover(durable: UInt64(journal.entries.count + 2))
            }
            if written { journal.entries.append(lost) }
            let decided = try meter.recover(durable: UInt64(journal.entries.count))
            XCTAssertEqual(decided.count, written ? 1 : 0)
            XCTAssertEqual(try reserved(), written ? "0.4" : before)
            let again = try meter.authorize(subscription, "written \(written)", most: one)
            if case .replayed = again { XCTAssertTrue(written) } else { XCTAssertFalse(written) }
            XCTAssertEqual(try replayed(), meter.snapshot())
        }
    }

    func testAJournalThatCallsBackReadsButDoesNotWrite() throws {
        var seen: String?
        journal.first = { _ in
            seen = try self.reserved()
            _ = try self.authorize("inner")
        }
        fails("step_abandoned") { try authorize("outer") }
        XCTAssertEqual(seen, "0")
        journal.first = { _ in self.fails("meter_stalled") { try self.authorize("inner") } }
        _ = try authorize("outer")
        _ = try authorize("inner")
        XCTAssertEqual(try replayed(), meter.snapshot())
    }

    func testASilentJournalHoldsUpNobodyForEver() throws {
        let (writing, answer) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        let done = DispatchSemaphore(value: 0)
        journal.first = { _ in
            writing.signal()
            XCTAssertEqual(answer.wait(timeout: .now() + 10), .success)
        }
        let (meter, subscription) = (self.meter!, self.subscription)
        Thread {
            _ = try? meter.authorize(subscription, "r1", most: one)
            done.signal()
        }.start()
        XCTAssertEqual(writing.wait(timeout: .now() + 10), .success)
        fails("step_abandoned") { try authorize("r2") }
        XCTAssertEqual(try reserved(), "0")
        answer.signal()
        XCTAssertEqual(done.wait(timeout: .now() + 10), .success)
        _ = try authorize("r2")
        XCTAssertEqual(try reserved(), "0.8")
        XCTAssertEqual(try replayed(), meter.snapshot())
    }

    func testThreadsAppendInTheOrderOfTheirDecisions() throws {
        let patient = try Meter(
            journal: journal, saltKey: Data(count: 32), snapshot: meter.snapshot()
        ) { now }
        let (done, subscription) = (DispatchSemaphore(value: 0), self.subscription)
        for number in 0..<8 {
            Thread {
                for call in 0..<20 {
                    let answer = try? patient.authorize(subscription, "\(number)/\(call)", most: one)
                    if case .hold(let hold) = answer { _ = try? hold.use { try $0.settle(one) } }
                }
                done.signal()
            }.start()
        }
        for _ in 0..<8 { XCTAssertEqual(done.wait(timeout: .now() + 60), .success) }
        XCTAssertEqual(journal.entries.count, 3 + 2 * 8 * 20)
        XCTAssertEqual(try replayed(), patient.snapshot())
        XCTAssertEqual(patient.lanes().first?.cumulative, "64")
    }

    func testMoneyReachesFromNothingToTheMost() throws {
        for amount in [0, 1, UInt128(UInt64.max) + 1, UInt128.max] {
            let billed = try bill(rounding: .carry, exact: String(amount), carried: 0)
            XCTAssertEqual(billed.amount, amount)
        }
        fails("amount_overflow") { try bill(rounding: .up, exact: "\(UInt128.max).5", carried: 0) }
        fails("decimal_too_fine") {
            try bill(rounding: .up, exact: "0.0000000000000000001", carried: 0)
        }
        let lane = try XCTUnwrap(meter.lanes().first).lane
        try meter.collect(lane: lane, amount: UInt128.max, reference: "all")
        XCTAssertEqual(try meter.lane(lane)?.collected, UInt128.max)
        fails("time_invalid") { try meter.due(now: -1) }
    }

    func testAnErrorSaysWhatWhereAndOnWhichInput() throws {
        XCTAssertThrowsError(
            try Plan.fromJson(document: #"{"format": "counterfoil/plan/1", "prise": 1}"#)
        ) { error in
            let error = error as? CounterfoilError
            XCTAssertTrue(error?.code.hasPrefix("json_") ?? false)
            XCTAssertTrue(error?.place.map { error!.localizedDescription.contains($0) } ?? false)
        }
        fails("key_invalid") { try LocalKey(secret: Data(count: 31)) }
        fails("hex_invalid") { try key.sign(digest: "0x12") }
    }
}
