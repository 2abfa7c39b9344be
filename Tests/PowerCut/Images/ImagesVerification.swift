import SystemPackage
import TestSupport

/// Looks at the images that a power cut has left: each is whole or not there at all.
struct ImagesVerification {
    /// The moment before any change.
    private static let first = "at first"

    private let device: String
    private let disk: ImagesDisk
    /// The images that were there for certain, and those of which a change was under way.
    private var present: Set<String> = []
    private var unsure: Set<String> = []
    private let isInitialized: Bool
    /// The faults that were found.
    private(set) var faults: [String] = []

    /// - Parameter expectations: The marks of the log: `begin:` and `end:`, each with the name of a step.
    init(_ device: String, program: FilePath, expectations: String) throws {
        self.device = device
        disk = try ImagesDisk(device, program: program)
        let marks = expectations.split(separator: "\n").map(String.init)
        isInitialized = marks.contains("end:init")
        for mark in marks {
            let words = mark.split(separator: ":")
            let parts = words[1].split(separator: "-").map(String.init)
            guard parts.count == 2 else { continue }
            guard words[0] == "end" else {
                unsure.insert(parts[1])
                continue
            }
            unsure.remove(parts[1])
            if parts[0] == "import" { present.insert(parts[1]) } else { present.remove(parts[1]) }
        }
    }

    /// The images that must be there, and the steps that had begun, in words.
    var steps: String { "there: \(present.sorted().joined(separator: " ")), under way: \(unsure.sorted())" }

    mutating func run() throws {
        if !isInitialized { try disk.initialize() }
        try checkImages(Self.first)
        // The next change completes what was cut off, or takes it back.
        try disk.importImage("extra")
        try disk.removeImage("extra")
        let found = try checkImages("behind the next change")
        try checkLayers(of: found)
        try disk.layer("check")
        try disk.layer("shutdown")
        for (what, command) in LeftOvers.checks(of: disk.root) { faults.check(what, command) }
        try disk.detach()
        faults.check("the file system of the root", "e2fsck -fn '\(device)'")
    }

    /// Saves each image that is listed, and compares the layers with their digests.
    ///
    /// An image whose import was cut off gets its name from the next change.
    @discardableResult
    private mutating func checkImages(_ moment: String) throws -> Set<String> {
        let lines = try disk.layer("image list --all 2>&1").split(separator: "\n").dropFirst()
        let images = lines.map { $0.split(separator: " ").map(String.init) }
        let names = Set(images.map { $0[0] })
        for image in present.subtracting(unsure) where !names.contains(image) {
            faults.append("image \(image) is lost, \(moment)")
        }
        let allowed = present.union(unsure).union(moment == Self.first && !unsure.isEmpty ? ["<none>"] : [])
        for name in names where !allowed.contains(name) {
            faults.append("image “\(name)” is there, which was removed or never made, \(moment)")
        }
        for image in images {
            faults.check(
                "image \(image[0]), \(moment)",
                """
                rm -rf /tmp/saved; mkdir /tmp/saved; cd /tmp/saved
                '\(disk.program)' --root '\(disk.root)' image save \(image[2]) --output ../saved.tar && tar -xf ../saved.tar
                jq -r '.[].Layers[]' manifest.json | xargs sha256sum | sed 's/ .*//; s/^/sha256:/' > found
                jq -r '.rootfs.diff_ids[]' $(jq -r '.[].Config' manifest.json) | diff - found
                """)
        }
        return names
    }

    /// The store has the layers of the images, and no other.
    private mutating func checkLayers(of images: Set<String>) throws {
        let count = images.isEmpty ? 0 : images.count + 1
        faults.check(
            "the layers of \(images.count) images",
            """
            cd '\(disk.root)/images/layerdb' && cat sha256/*/cache-id 2> /dev/null | fold -w 64 | sort > /tmp/contents
            echo >> /tmp/contents
            '\(disk.program)' --root '\(disk.root)' list --json | jq -r '.[].id' | grep -v '^base$' | sort > /tmp/layers
            grep . /tmp/contents | diff - /tmp/layers && test $(wc -l < /tmp/layers) = \(count)
            test -z "$(ls tmp)" && test ! -e ../dmlayer-change.json
            """)
    }

    /// Verifies the disks, whose expectations are in the directories.
    static func verify(program: FilePath, directories: [String]) throws {
        for (index, name) in directories.enumerated() {
            let (directory, device) = (FilePath(name), try GuestDisk.path(index))
            var verification = try ImagesVerification(
                device, program: program, expectations: TextFile.read(directory.appending("expectations")))
            do {
                try verification.run()
            } catch {
                verification.faults.append("the verification itself ended early: \(error)")
            }
            for line in verification.faults { say("  \(line)") }
            say("\(device), \(verification.steps): \(verification.faults.count) faults")
            // The next one must find the kernel as a fresh one.
            guard verification.faults.isEmpty else { throw PowerCutError("\(device) has faults") }
            try TextFile.write("", to: directory.appending("verified"))
        }
    }
}
