import Glibc
import SystemPackage

/// The tool of `scripts/powercut`, which cuts the power of stores at work.
@main
enum PowerCut {
    private static let usage = """
        usage: PowerCut work ROOT EVENTS DEVICE EXPECTATIONS SEED PROCESS THREADS alone|together
               PowerCut expect EXPECTATIONS EVENTS
               PowerCut cut DISK LOG EXPECTATIONS SEED COUNT DIRECTORY
               PowerCut cut-parts DISK LOG PARTS SEED COUNT DIRECTORY
               PowerCut verify DISK DMLAYER DIRECTORY SEED
        """

    static func main() {
        do {
            try run(Array(CommandLine.arguments.dropFirst()))
        } catch {
            _ = try? FileDescriptor.standardError.writeAll("\(error)\n".utf8)
            exit(1)
        }
    }

    private static func run(_ arguments: [String]) throws {
        switch (arguments.first, arguments.count) {
        case ("work", 9): try work(arguments)
        case ("expect", 3): try expect(arguments)
        case ("cut", 7): try cut(arguments)
        case ("cut-parts", 7): try cutParts(arguments)
        case ("verify", 5): try verify(arguments)
        default:
            print(usage)
            exit(64)
        }
    }

    private static func number(_ text: String) throws -> Int {
        guard let number = Int(text) else { throw PowerCutError("“\(text)” is no number") }
        return number
    }

    /// Works on the store until the kernel is killed.
    private static func work(_ arguments: [String]) throws {
        let log = try EventLog(FilePath(arguments[2]), device: arguments[3])
        let workload = try Workload(
            FilePath(arguments[1]), log, Expectations(TextFile.read(FilePath(arguments[4]))),
            process: number(arguments[6]), seed: UInt64(number(arguments[5])))
        try workload.run(threads: number(arguments[7]), shutsDown: arguments[8] == "alone")
    }

    /// Prints what must be there when nothing but the kernel's own memory was lost.
    private static func expect(_ arguments: [String]) throws {
        var expectations = Expectations(try TextFile.read(FilePath(arguments[1])))
        let events = try TextFile.read(FilePath(arguments[2])).split(separator: "\n").compactMap { Event(String($0)) }
        expectations.take(before: events, around: [])
        print(expectations.text, terminator: "")
    }

    /// Makes images of the disk as a power cut may have left them.
    private static func cut(_ arguments: [String]) throws {
        let inherited = Expectations(try TextFile.read(FilePath(arguments[3])))
        // The kernel hands the log to its disk in the background; what it had not finished with when it was killed lies
        // within the last entries.
        let images = CutImages(
            log: try WriteLog(FilePath(arguments[2])), base: FilePath(arguments[1]), unsureEntries: 100
        ) {
            $0.mark.flatMap { Event($0) }?.kind.isAcknowledgement == true
        } expectations: { before, around in
            var expected = inherited
            expected.take(before: before.compactMap { Event($0) }, around: around.compactMap { Event($0) })
            return expected.text
        }
        try make(images, arguments)
    }

    private static func make(_ images: CutImages, _ arguments: [String]) throws {
        for line in try images.make(
            number(arguments[5]), seed: UInt64(number(arguments[4])), in: FilePath(arguments[6]))
        {
            print(line)
        }
    }

    /// Makes images of a disk whose parts are disks, of a run that ended by itself; what is expected is the marks.
    ///
    /// Of interest are the ends of steps, and what is written to the beginning of a part, where LVM has its texts.
    private static func cutParts(_ arguments: [String]) throws {
        let log = try WriteLog(FilePath(arguments[2]))
        var parts = [Int64(0)] + (try arguments[3].split(separator: ",").map { Int64(try number(String($0))) })
        // Kernels before 6.1 do not say which part a flush is for.
        if !log.entries.contains(where: { $0.isFlush && $0.length == 0 && $0.offset > 0 }) { parts = [0] }
        let texts = parts.dropFirst().map { $0..<$0 + 1 << 20 }
        let images = CutImages(log: log, base: FilePath(arguments[1]), parts: parts, unsureEntries: 0) { entry in
            entry.mark?.hasPrefix("end:") == true || texts.contains { $0.contains(entry.offset) }
        } expectations: { before, around in
            (before + around.filter { !$0.hasPrefix("end:") }).map { $0 + "\n" }.joined()
        }
        try make(images, arguments)
    }

    /// Verifies one image, and says in `verified` what is on it now.
    private static func verify(_ arguments: [String]) throws {
        let directory = FilePath(arguments[3])
        var verification = Verification(
            disk: arguments[1], mountPoint: FilePath("/run/powercut\(arguments[1])"), program: FilePath(arguments[2]),
            Expectations(try TextFile.read(directory.appending("expectations"))), seed: UInt64(try number(arguments[4]))
        )
        let expectations: Expectations
        do {
            expectations = try verification.run()
        } catch {
            throw PowerCutError((verification.faults + ["\(error)"]).joined(separator: "\n"))
        }
        guard verification.faults.isEmpty else {
            throw PowerCutError(verification.faults.joined(separator: "\n"))
        }
        try TextFile.write(expectations.text, to: directory.appending("verified"))
        print("whole: \(verification.layers) layers with \(verification.files) files")
    }
}
