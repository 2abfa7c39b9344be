import FoundationEssentials
import SystemPackage
import TestSupport

/// The most that operations may cost beside their floors: `Benchmarks/limits.json`.
struct Limits: Decodable {
    /// An operation, or a call of the service, and how many times its floor it may take.
    struct Limit: Decodable {
        let name: String
        let times: Double
    }

    let limits: [Limit]

    init(reading file: FilePath) throws {
        self = try JSONDecoder().decode(Self.self, from: Data(TextFile.read(file).utf8))
    }

    /// Compares what was measured on a disk with the limits.
    ///
    /// An operation keeps its limit if its median or its fastest tenth does. Slower code lengthens both. Other work on the
    /// machine, or a few fast rounds of the floor, often changes only one of them.
    ///
    /// - Returns: A line for each limit, and whether all were kept. A limit of something that was not measured is not kept.
    func judge(_ report: Report) -> (lines: [String], areKept: Bool) {
        var areKept = true
        let lines = limits.map { limit in
            let measured = (report.operations + report.service).last { $0.name == limit.name && $0.place == .disk }
            guard let measured, let floor = measured.floor else {
                areKept = false
                return "FAILED: \(limit.name) was not measured"
            }
            let ratio = measured.ours.ratio(to: floor)
            let times = min(ratio.median, ratio.p10)
            let isKept = times <= limit.times
            areKept = areKept && isKept
            let rounded = Double((times * 100).rounded()) / 100
            return "\(isKept ? "ok" : "FAILED"): \(limit.name) takes \(rounded) times its floor; "
                + "at most \(limit.times) is allowed"
        }
        return (lines, areKept)
    }
}
