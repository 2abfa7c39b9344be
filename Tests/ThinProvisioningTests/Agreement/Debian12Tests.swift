import TestSupport
import Testing

@testable import ThinProvisioning

/// The programs of thin-provisioning-tools 0.9.0, of Debian 12.
enum Debian12 {
    /// Whether the machine's own programs are of that version.
    static var isInstalled: Bool {
        // Without the program, nothing is compared.
        Peers.folder != nil && (try? Shell.run("thin_check --version")) == "0.9.0"
    }
}

/// Compares the output of this program with that of thin-provisioning-tools 0.9.0, of Debian 12, where the formats agree.
///
/// They do not agree in these places: `thin_dump` writes `flags="0"` and no shared parts, and `thin_rmap` follows no order.
/// `thin_ls` writes 0 without a unit.
@Suite(.enabled(if: Debian12.isInstalled))
struct Debian12Tests {
    private static let pools = (0..<Peers.cases).map { index in
        (ExamplePool.Shape.allCases[index % ExamplePool.Shape.allCases.count], UInt64(index))
    }

    @Test(arguments: pools)
    func printsTheSame(shape: ExamplePool.Shape, seed: UInt64) throws {
        let peers = try Peers(ExamplePool(shape, seed: seed))
        let devices = try Shell.run("thin_ls --no-headers -o DEV '\(peers.file)'").split { !$0.isNumber }
        var commands = devices.prefix(4).map { ("thin_dump --dev-id \($0)", "sed 's/ flags=\"0\"//'") }
        if shape != .sharedParts, shape != .deep { commands.append(("thin_dump", "sed 's/ flags=\"0\"//'")) }
        commands += [
            ("thin_ls", "sed 's/ 0b / 0 /g; s/  */ /g'"), ("thin_ls --no-headers -o DEV,MAPPED_BYTES", "cat"),
            ("thin_rmap --region 0..500 --region 1000..70000", "sort"), ("thin_check -q", "cat"),
        ]
        if devices.count > 2 { commands.append(("thin_delta --snap1 \(devices[0]) --snap2 \(devices[2])", "cat")) }
        for (command, filter) in commands {
            let theirs = try run("/usr/sbin", command, filter, peers)
            let ours = try run("\(peers.scratch.path)", command, filter, peers)
            let differing = zip(ours.split(separator: "\n"), theirs.split(separator: "\n")).first { $0 != $1 }
            #expect(ours == theirs, "\(command): \(String(describing: differing))")
        }
    }

    private func run(_ folder: String, _ command: String, _ filter: String, _ peers: Peers) throws -> String {
        let answer = "{ '\(folder)'/\(command) '\(peers.file)' 2>/dev/null; s=$?; echo; echo status $s; }"
        return try Shell.runForStatus("\(answer) | grep . | \(filter)").output
    }
}
