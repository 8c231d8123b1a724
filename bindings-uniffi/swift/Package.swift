// swift-tools-version:6.0
// `cargo xtask swift` writes the generated sources, builds the library and runs this.
import PackageDescription

let package = Package(
    name: "Counterfoil",
    // The first systems with `UInt128`, the type of amounts.
    platforms: [.macOS(.v15), .iOS(.v18), .watchOS(.v11), .tvOS(.v18)],
    products: [.library(name: "Counterfoil", targets: ["Counterfoil"])],
    targets: [
        .systemLibrary(name: "CounterfoilFFI"),
        .target(name: "Counterfoil", dependencies: ["CounterfoilFFI"]),
        .executableTarget(name: "Conformance", dependencies: ["Counterfoil"]),
        .testTarget(name: "CounterfoilTests", dependencies: ["Counterfoil"]),
    ]
)
