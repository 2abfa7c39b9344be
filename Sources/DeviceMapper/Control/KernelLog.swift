internal import SystemCalls
internal import SystemPackage

/// The kernel's log while one command runs: the device mapper explains a refused table or message there and nowhere
/// else.
///
/// The descriptor is opened once and stays with its request buffer; each use skips to the end before the command, so
/// that only lines which the command caused (or which appeared at the same moment) are read afterwards.
final class KernelLog {
    private var descriptor: FileDescriptor?
    private var isUnreadable = false

    deinit {
        try? descriptor?.close()
    }

    /// Skips what has been logged so far.
    ///
    /// Without the right to read the log, errors have no reason, that is all.
    func skipToEnd() {
        if descriptor == nil, !isUnreadable {
            let path: FilePath = "/dev/kmsg"
            descriptor = try? FileDescriptor.open(path, .readOnly, options: [.nonBlocking, .closeOnExec])
            isUnreadable = descriptor == nil
        }
        _ = try? descriptor?.seek(offset: 0, from: .end)
    }

    /// The device mapper's lines since ``skipToEnd()``, without their prefix.
    ///
    /// - Parameter number: The device that the command was about; lines about another device's table are left out.
    func reasons(about number: DeviceNumber?) -> [String] {
        guard let descriptor else { return [] }
        var reasons: [String] = []
        var record = [UInt8](repeating: 0, count: 8192)
        while reasons.count < 16 {
            do {
                let count = try unsafe record.withUnsafeMutableBytes { unsafe try descriptor.read(into: $0) }
                guard count > 0 else { return reasons }
                if let reason = Self.reason(in: record[..<count], about: number) { reasons.append(reason) }
            } catch {
                // EPIPE: records were overwritten before they were read; the next read goes on behind them.
                guard error as? Errno == .brokenPipe else { return reasons }
            }
        }
        return reasons
    }

    /// Takes the text out of one record, `priority,sequence,time,flags;text\n`.
    static func reason(in record: ArraySlice<UInt8>, about number: DeviceNumber?) -> String? {
        guard let semicolon = record.firstIndex(of: UInt8(ascii: ";")) else { return nil }
        let text = record[(semicolon + 1)...].prefix { $0 != UInt8(ascii: "\n") }
        let prefix = "device-mapper: ".utf8
        guard text.starts(with: prefix) else { return nil }
        let reason = text.dropFirst(prefix.count)
        if let number, reason.starts(with: "table: ".utf8), !reason.starts(with: "table: \(number): ".utf8) {
            return nil
        }
        return String(decoding: reason, as: UTF8.self)
    }
}
