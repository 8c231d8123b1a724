import Foundation

/// SHA-256 (FIPS 180-4), which Foundation does not have on every system.
func sha256(_ message: Data) -> Data {
    func fraction(_ root: Double) -> UInt32 { UInt32((root - root.rounded(.down)) * 0x1p32) }
    let primes = (2...311).filter { n in !(2..<n).contains { n % $0 == 0 } }
    // The exact cube roots fit: 32 bits of fraction, 3 of the whole, 53 in a double.
    let k = primes.map { fraction(cbrt(Double($0))) }
    var hash = primes.prefix(8).map { fraction(Double($0).squareRoot()) }
    var padded = message
    padded.append(0x80)
    while padded.count % 64 != 56 { padded.append(0) }
    withUnsafeBytes(of: UInt64(message.count * 8).bigEndian) { padded.append(contentsOf: $0) }
    func rotated(_ x: UInt32, _ by: UInt32) -> UInt32 { x >> by | x << (32 - by) }
    let bytes = [UInt8](padded)
    for block in stride(from: 0, to: bytes.count, by: 64) {
        var w = (0..<16).map { i in
            bytes[(block + 4 * i)..<(block + 4 * i + 4)].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
        }
        for i in 16..<64 {
            let a = rotated(w[i - 15], 7) ^ rotated(w[i - 15], 18) ^ w[i - 15] >> 3
            let b = rotated(w[i - 2], 17) ^ rotated(w[i - 2], 19) ^ w[i - 2] >> 10
            w.append(w[i - 16] &+ a &+ w[i - 7] &+ b)
        }
        var s = hash
        for i in 0..<64 {
            let e = rotated(s[4], 6) ^ rotated(s[4], 11) ^ rotated(s[4], 25)
            let choice = s[4] & s[5] ^ ~s[4] & s[6]
            let one = s[7] &+ e &+ choice &+ k[i] &+ w[i]
            let a = rotated(s[0], 2) ^ rotated(s[0], 13) ^ rotated(s[0], 22)
            let majority = s[0] & s[1] ^ s[0] & s[2] ^ s[1] & s[2]
            s = [one &+ a &+ majority, s[0], s[1], s[2], s[3] &+ one, s[4], s[5], s[6]]
        }
        hash = zip(hash, s).map { $0 &+ $1 }
    }
    return Data(hash.flatMap { word in [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: word >> $0) } })
}
