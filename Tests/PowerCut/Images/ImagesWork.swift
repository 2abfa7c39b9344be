import SystemPackage
import TestSupport

/// Imports images and removes them, on a disk whose writes are logged.
enum ImagesWork {
    private static let steps = 12

    /// Works on `/dev/ubda`, with the log on `/dev/ubdb`.
    static func run(program: FilePath, seed: UInt64) throws {
        try Shell.run(
            "dmsetup create powercut --table \"0 $(blockdev --getsz /dev/ubda) log-writes /dev/ubda /dev/ubdb\"")
        let disk = try ImagesDisk("/dev/mapper/powercut", program: program)
        var random = SeededRandom(seed: seed)
        try step("init") { try disk.initialize() }
        var present: Set<String> = []
        for _ in 0..<steps {
            guard let image = ImagesDisk.images.randomElement(using: &random) else { return }
            if present.remove(image) != nil {
                try step("remove-\(image)") { try disk.removeImage(image) }
            } else {
                try step("import-\(image)") { try disk.importImage(image) }
                present.insert(image)
            }
        }
        try disk.layer("shutdown")
        try disk.detach()
        // This logs what has not been logged yet.
        try Shell.run("dmsetup remove powercut")
    }

    /// Does one step, and notes its begin and its end between the writes.
    private static func step(_ name: String, _ body: () throws -> Void) throws {
        try Shell.run("dmsetup message powercut 0 mark 'begin:\(name)'")
        try body()
        try Shell.run("dmsetup message powercut 0 mark 'end:\(name)'")
    }
}
