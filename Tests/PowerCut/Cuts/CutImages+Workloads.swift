import SystemPackage
import TestSupport

extension CutImages {
    /// The images of a store on loop files, whose log ended when its kernel was killed.
    ///
    /// - Parameter inherited: The content of the store before the run.
    static func ofLayers(base: FilePath, log: FilePath, inherited: Expectations) throws -> CutImages {
        // The kernel hands the log to its disk in the background; what it had not finished with when it was killed lies
        // within the last entries.
        CutImages(log: try WriteLog(log), base: base, unsureEntries: 100) {
            $0.mark.flatMap { Event($0) }?.kind.isAcknowledgement == true
        } expectations: { before, around in
            var expected = inherited
            expected.take(before: before.compactMap { Event($0) }, around: around.compactMap { Event($0) })
            return expected.text
        }
    }

    /// The images of a disk with a volume group, of a run that ended by itself; the marks are what is expected.
    ///
    /// Of interest are the ends of steps, and writes to the beginning of a part, where LVM has its texts.
    static func ofVolumeGroup(base: FilePath, log: FilePath) throws -> CutImages {
        let log = try WriteLog(log)
        // Kernels before 6.1 do not say which part a flush is for.
        let isPrecise = log.entries.contains { $0.isFlush && $0.length == 0 && $0.offset > 0 }
        let texts = (isPrecise ? GroupDisk.parts : []).map { $0..<$0 + 1 << 20 }
        return ofSteps(base: base, log: log, parts: [0] + (isPrecise ? GroupDisk.parts : [])) { entry in
            texts.contains { $0.contains(entry.offset) }
        }
    }

    /// The images of a run that ended by itself, whose log has the marks `begin:` and `end:` of steps; they are what is
    /// expected.
    ///
    /// Of interest are the ends of steps, and what the workload says.
    static func ofSteps(
        base: FilePath, log: WriteLog, parts: [Int64] = [0],
        isOfInterest: @escaping (WriteLog.Entry) -> Bool = { _ in false }
    ) -> CutImages {
        CutImages(log: log, base: base, parts: parts, unsureEntries: 0) { entry in
            entry.mark?.hasPrefix("end:") == true || isOfInterest(entry)
        } expectations: { before, around in
            (before + around.filter { !$0.hasPrefix("end:") }).map { $0 + "\n" }.joined()
        }
    }
}
