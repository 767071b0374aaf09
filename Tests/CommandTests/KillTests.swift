import EmbeddingEngine
import Foundation
import ModelConversion
import TestSupport
import Testing

/// A conversion that is killed leaves no model file, or a whole one.
@Suite struct KillTests {
    @Test func aKilledConversionLeavesTheOldFileOrAWholeNewOne() throws {
        let hasCheckpoint = FileManager.default.fileExists(atPath: TestFiles.checkpoint.path)
        let checkpoint = hasCheckpoint ? TestFiles.checkpoint : TestFiles.fixture("tiny-bert")
        let directory = try TemporaryDirectory()
        let out = directory.path("model.safetensors")
        let old = try Data(contentsOf: URL(fileURLWithPath: TinyModel.path))
        try old.write(to: URL(fileURLWithPath: out))
        var generator = SeededGenerator(seed: 21)
        for _ in 0..<12 {
            let process = Process()
            process.executableURL = TestFiles.program
            process.arguments = ["convert", "--quiet", checkpoint.path, out]
            try process.run()
            // Any moment will do; most fall into the conversion, some into the writing.
            usleep(UInt32.random(in: 0...(hasCheckpoint ? 2_500_000 : 30_000), using: &generator))
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
            let model = try EmbeddingModel(path: out)
            #expect(try ModelVerification(Embedder(model)).isSound)
        }
    }
}
