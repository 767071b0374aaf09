// swift-tools-version: 6.2
import PackageDescription

// SwiftPM takes such flags from the root package alone. Elsewhere, and on other processors, the files
// are compiled once more as they are, and nobody enters them.
let isRoot = !Context.packageDirectory.contains("/.build/checkouts/")
#if arch(x86_64)
    let avx2Settings: [SwiftSetting] =
        isRoot
        ? [
            .define("FUSED_MULTIPLY_ADD"),
            .unsafeFlags([
                "-Ounchecked", "-whole-module-optimization", "-num-threads", "1", "-Xcc", "-mavx2",
                "-Xcc", "-mfma",
            ]),
        ] : []
    let avx512Settings: [SwiftSetting] =
        isRoot
        ? avx2Settings + [
            .define("LONG_VECTORS"),
            .unsafeFlags([
                "-Xcc", "-mavx512f", "-Xcc", "-mavx512vl", "-Xcc", "-mavx512dq", "-Xcc",
                "-mavx512bw",
            ]),
        ] : []
#else
    let avx2Settings: [SwiftSetting] = []
    let avx512Settings: [SwiftSetting] = []
#endif

// One file that starts fast: the runtime and Foundation are part of it, their addresses are packed
// (half of the start went into loading them), and a library that is loaded when it is needed is not named.
let linkerSettings: [LinkerSetting] =
    isRoot ? [.unsafeFlags(["-use-ld=lld", "-Xlinker", "--as-needed"])] : []
let staticSwift = BuildSettingCondition.when(configuration: .release)
let programSwiftSettings: [SwiftSetting] =
    isRoot ? [.unsafeFlags(["-static-stdlib"], staticSwift)] : []
let programLinkerSettings: [LinkerSetting] =
    isRoot
    ? linkerSettings + [
        .unsafeFlags(
            ["-static-stdlib", "-Xlinker", "-z", "-Xlinker", "pack-relative-relocs"], staticSwift)
    ] : []

let package = Package(
    name: "minilm",
    products: [
        .executable(name: "minilm", targets: ["minilm"]),
        .library(name: "EmbeddingEngine", targets: ["EmbeddingEngine"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    ],
    targets: [
        .systemLibrary(name: "COpenBLAS", providers: [.apt(["libopenblas-dev"])]),
        .systemLibrary(name: "CMalloc"),
        .systemLibrary(name: "CGMime", providers: [.apt(["libgmime-3.0-dev"])]),
        .systemLibrary(name: "CLibArchive", providers: [.apt(["libarchive-dev"])]),
        .systemLibrary(name: "CLibCSV", providers: [.apt(["libcsv-dev"])]),
        .systemLibrary(
            name: "CLibXML2", pkgConfig: isRoot ? nil : "libxml-2.0",
            providers: [.apt(["libxml2-dev"])]),
        .systemLibrary(name: "CMagic", providers: [.apt(["libmagic-dev"])]),
        .systemLibrary(name: "CUchardet", providers: [.apt(["libuchardet-dev"])]),
        .target(name: "CRapidJSON"),
        .target(name: "JSON", dependencies: ["CRapidJSON"]),
        .target(
            name: "Safetensors",
            dependencies: ["JSON", .product(name: "SystemPackage", package: "swift-system")]),
        .target(name: "CProcessor"),
        .target(name: "KernelInterface"),
        .target(name: "Kernels", dependencies: ["CProcessor", "KernelInterface"]),
        // The same files (links), compiled for newer processors: entered only where they are ones.
        .target(
            name: "KernelsAVX2", dependencies: ["CProcessor", "KernelInterface"],
            // Generic code, which the linker could give to everyone.
            exclude: ["References"], swiftSettings: avx2Settings),
        .target(
            name: "KernelsAVX512", dependencies: ["CProcessor", "KernelInterface"],
            exclude: ["References"], swiftSettings: avx512Settings),
        .target(name: "Tokenization"),
        .target(
            name: "Transformer",
            dependencies: [
                "COpenBLAS", "CProcessor", "KernelInterface", "Kernels", "KernelsAVX2",
                "KernelsAVX512", "Safetensors",
            ]),
        .target(
            name: "EmbeddingEngine",
            dependencies: [
                "CMalloc", "JSON", "Kernels", "Safetensors", "Tokenization", "Transformer",
                .product(name: "HeapModule", package: "swift-collections"),
            ]),
        .target(
            name: "ModelConversion",
            dependencies: [
                "EmbeddingEngine", "JSON", "Safetensors", "Tokenization", "Transformer",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "SystemPackage", package: "swift-system"),
            ]),
        .target(
            name: "EmbeddingServer",
            dependencies: [
                "EmbeddingEngine", "JSON", "Safetensors",
                .product(name: "DequeModule", package: "swift-collections"),
                .product(name: "Histogram", package: "hdrhistogram-swift"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "SystemPackage", package: "swift-system"),
            ],
            resources: [.embedInCode("Schemas")]),
        .target(
            name: "TextExtraction",
            dependencies: [
                "CGMime", "CLibArchive", "CLibCSV", "CLibXML2", "CMagic", "CUchardet", "JSON",
                "Tokenization", .product(name: "SystemPackage", package: "swift-system"),
            ]),
        .target(
            name: "EmbeddingPipeline",
            dependencies: [
                "EmbeddingEngine", "TextExtraction", "Tokenization", "Transformer",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Logging", package: "swift-log"),
            ]),
        .executableTarget(
            name: "minilm",
            dependencies: [
                "EmbeddingEngine", "EmbeddingPipeline", "EmbeddingServer", "JSON",
                "ModelConversion", "Safetensors", "TextExtraction", "Tokenization", "Transformer",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "SystemPackage", package: "swift-system"),
            ], swiftSettings: programSwiftSettings, linkerSettings: programLinkerSettings),
        .target(
            name: "TestSupport",
            dependencies: ["EmbeddingEngine", "JSON", "ModelConversion"],
            path: "Tests/TestSupport", linkerSettings: linkerSettings),
        .testTarget(name: "JSONTests", dependencies: ["JSON", "TestSupport"]),
        .testTarget(
            name: "SafetensorsTests",
            dependencies: [
                "JSON", "Safetensors", "TestSupport",
                .product(name: "SystemPackage", package: "swift-system"),
            ]),
        .testTarget(
            name: "KernelsTests",
            dependencies: [
                "KernelInterface", "Kernels", "KernelsAVX2", "KernelsAVX512", "TestSupport",
                "Transformer",
            ]),
        .testTarget(
            name: "TokenizationTests",
            dependencies: ["EmbeddingEngine", "JSON", "TestSupport", "Tokenization"]),
        .testTarget(
            name: "TextExtractionTests",
            dependencies: [
                "EmbeddingEngine", "TestSupport", "TextExtraction", "Tokenization",
                .product(name: "SystemPackage", package: "swift-system"),
            ]),
        .testTarget(
            name: "TransformerTests",
            dependencies: [
                "EmbeddingEngine", "JSON", "Kernels", "Safetensors", "TestSupport", "Transformer",
            ]),
        .testTarget(
            name: "EmbeddingEngineTests", dependencies: ["EmbeddingEngine", "JSON", "TestSupport"]),
        .testTarget(
            name: "EmbeddingPipelineTests",
            dependencies: [
                "EmbeddingEngine", "EmbeddingPipeline", "TestSupport", "TextExtraction",
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Logging", package: "swift-log"),
            ]),
        .testTarget(
            name: "ModelConversionTests",
            dependencies: [
                "EmbeddingEngine", "JSON", "ModelConversion", "Safetensors", "TestSupport",
                "Tokenization", "Transformer",
                .product(name: "SystemPackage", package: "swift-system"),
            ]),
        .testTarget(
            name: "EmbeddingServerTests",
            dependencies: [
                "EmbeddingServer", "JSON", "TestSupport",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "SystemPackage", package: "swift-system"),
            ]),
        .testTarget(
            name: "CommandTests",
            dependencies: [
                "EmbeddingEngine", "EmbeddingPipeline", "JSON", "ModelConversion", "TestSupport",
                .product(name: "GRDB", package: "GRDB.swift"),
            ]),
    ],
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx17
)

// libxml2's headers name one another from here. Its pkg-config file says so too, but would also link the
// library; and a module's headers are read again wherever a target that imports it is imported.
if isRoot {
    for target in package.targets where target.type != .system {
        target.swiftSettings =
            (target.swiftSettings ?? []) + [.unsafeFlags(["-Xcc", "-I/usr/include/libxml2"])]
    }
}

// CI turns warnings into errors; a newer compiler's new warnings stop nobody else.
if Context.environment["MINILM_WARNINGS_AS_ERRORS"] != nil {
    for target in package.targets where target.type != .system {
        target.swiftSettings = (target.swiftSettings ?? []) + [.treatAllWarnings(as: .error)]
    }
}
