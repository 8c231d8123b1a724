// Runs vectors through the package:
//
//   Conformance FOLDER [--counts FILE]   every vector below a folder
//   Conformance --print FILE             one vector with what the package computes
//   Conformance --stream                 a vector a line: `ok`, or what differs
import Counterfoil
import Foundation

func ran(_ script: Script, _ step: JSON) throws -> [String: JSON] {
    do {
        return ["out": try script.run(step)]
    } catch let error as CounterfoilError {
        var members = ["code": JSON.text(error.code)]
        members["place"] = sharedPlace(error.place).map(JSON.text)
        return ["error": .object(members)]
    }
}

/// What differs in a vector, if anything does.
func differs(_ vector: JSON, _ counts: inout [String: Int]) throws -> String? {
    try vector.known("format id title rules scope steps")
    if try vector.text("format") != "counterfoil/vector/0" { throw Broken("unknown format") }
    let script = Script()
    for (at, step) in try vector.list("steps").enumerated() {
        let got = try ran(script, step)
        let op = try step.text("op")
        var same = false
        if let wanted = step["error"], let failed = got["error"] {
            try wanted.known("code place")
            let place = try wanted.maybe("place")
            same = try wanted.text("code") == failed.text("code")
            same = try same && (place == nil || place == failed.maybe("place"))
        } else if let wanted = step["out"], let out = got["out"] {
            same = wanted.same(as: out)
        }
        if !same {
            let wanted = (step["out"] ?? step["error"] ?? .null).compact
            return "step \(at) \(op): expected \(wanted), got \(JSON.object(got).compact)"
        }
        counts[op, default: 0] += 1
    }
    return nil
}

func broken(_ vector: () throws -> String?) -> String? {
    do { return try vector() } catch let error as Broken { return "broken: \(error.why)" } catch {
        return "broken: \(error)"
    }
}

func runAll(_ folder: URL, counts: String?) throws -> Int32 {
    let files = FileManager.default
    var executed: [String: Int] = [:]
    var (vectors, failed) = (0, 0)
    for room in try files.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
    where room.hasDirectoryPath {
        for file in try files.contentsOfDirectory(at: room, includingPropertiesForKeys: nil)
        where file.pathExtension == "json" {
            let vector = try JSON.parse(try Data(contentsOf: file))
            if try vector.text("scope") != "all" { continue }
            vectors += 1
            if let why = broken({ try differs(vector, &executed) }) {
                failed += 1
                FileHandle.standardError.write(Data("\(file.path): \(why)\n".utf8))
            }
        }
    }
    if let counts {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        try encoder.encode(executed).write(to: URL(fileURLWithPath: counts))
    }
    let steps = executed.values.reduce(0, +)
    print("swift: \(steps) steps in \(vectors) vectors, \(failed) failed")
    return failed > 0 ? 1 : 0
}

func printed(_ path: String) throws {
    guard case .object(var vector) = try JSON.parse(try Data(contentsOf: URL(fileURLWithPath: path)))
    else { throw Broken("no vector") }
    let script = Script()
    vector["steps"] = .list(
        try JSON.object(vector).list("steps").map { step in
            guard case .object(var members) = step else { throw Broken("no step") }
            let got = try ran(script, step)
            members["out"] = got["out"]
            members["error"] = got["error"]
            return .object(members)
        })
    print(JSON.object(vector).compact)
}

let arguments = CommandLine.arguments.dropFirst()
switch arguments.first {
case "--stream":
    var unused: [String: Int] = [:]
    while let line = readLine() {
        print(broken { try differs(try JSON.parse(Data(line.utf8)), &unused) } ?? "ok")
        fflush(nil)
    }
case "--print": try printed(arguments.dropFirst().first ?? "")
case let folder?:
    let counts = arguments.dropFirst().first == "--counts" ? arguments.last : nil
    exit(try runAll(URL(fileURLWithPath: folder, isDirectory: true), counts: counts))
case nil:
    print("name a folder of vectors, or --stream")
    exit(2)
}
