import Counterfoil
import Foundation
import XCTest

/// The README's code is the code between the marks below, and runs.
final class ReadmeTests: XCTestCase {
    func testTheExampleOfTheReadme() throws {
        let planJSON = plan
        let saltKey = Data((0..<32).map { _ in UInt8.random(in: 0...255) })
        // README
        let key = try LocalKey(secret: secret)
        let plan = try Plan.fromJson(document: planJSON)

        // Entries become durable in your journal: anything with `append(_ entry: Data)`.
        let meter = try Meter(journal: MemoryJournal(), saltKey: saltKey)
        try meter.begin(origin: "shop.example/log-1", signer: key.address())
        try meter.add(plan)
        let subscription = try meter.subscribe(plan.id(), account: "ada").subscription

        // Before the call: may it be made? Afterwards: what did it use?
        let one = Usage(meters: ["requests": 1])
        var header = ""
        switch try meter.authorize(subscription, "request-1", most: one) {
        case .denied(let denial): print("refused by \(denial.rule)")
        case .replayed(let replay): print("asked before: \(replay.state)")
        case .hold(let hold):
            try hold.use { hold in
                guard let issued = try hold.settle(one).issued else { return }
                let signature = try key.sign(digest: issued.digest)
                header = try issued.receipt.signed(signature: signature).toHeader()
            }
        }

        // The buyer trusts nothing but the signature.
        let receipt = try Receipt.fromHeader(header: header).verify(signer: plan.authority())
        precondition(receipt.head().sequence == 1)
        // README
    }

    func testTheReadmeShowsTheCodeThatRuns() throws {
        let source = URL(fileURLWithPath: #filePath)
        let readme = source.deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent().appendingPathComponent("README.md")
        let shown = try String(contentsOf: readme, encoding: .utf8)
            .components(separatedBy: "```swift\n")[1].components(separatedBy: "```")[0]
        let run = try String(contentsOf: source, encoding: .utf8)
            .components(separatedBy: "        // README\n")[1]
        let flat = { (text: String) in text.split(whereSeparator: \.isWhitespace).joined(separator: " ") }
        XCTAssertEqual(flat(shown), flat(run))
    }
}
