public import DeviceMapper
internal import SystemPackage

/// An event of a pool, as the kernel's log tells it.
///
/// The kernel counts the events of a device and does not say what they were. For every event of a pool, except that somebody
/// renamed its device, there is one line in the log.
public enum ThinPoolEvent: Hashable, Sendable {
    /// Less data or metadata is free than the mark says, and everything works.
    case isLow
    /// The pool has got another mode.
    case mode(String)

    /// Whether writes that were under way may have failed: what waits for space, by contrast, is not lost.
    public var losesWrites: Bool {
        guard case .mode(let mode) = self else { return false }
        return !["write", "out-of-data-space (queue IO)"].contains(mode)
    }

    /// The last events of a pool.
    ///
    /// - Parameters:
    ///   - count: How many.
    ///   - pool: The number of the pool's device.
    /// - Returns: `nil` when the log does not have so many any more, or must not be read.
    public static func last(_ count: Int, of pool: DeviceNumber) -> [ThinPoolEvent]? {
        let path: FilePath = "/dev/kmsg"
        guard let log = try? FileDescriptor.open(path, .readOnly, options: [.nonBlocking, .closeOnExec]) else {
            return nil
        }
        defer { try? log.close() }
        var events: [ThinPoolEvent] = []
        var record = [UInt8](repeating: 0, count: 8192)
        reading: while true {
            do {
                let length = try unsafe record.withUnsafeMutableBytes { unsafe try log.read(into: $0) }
                guard length > 0 else { break reading }
                if let event = ThinPoolEvent(record: record[..<length], of: pool) { events.append(event) }
            } catch {
                // EPIPE: records were overwritten before they were read; the next read goes on behind them.
                guard error as? Errno == .brokenPipe else { break reading }
            }
        }
        return events.count >= count ? events.suffix(count) : nil
    }

    /// Reads one record of the log, `priority,sequence,time,flags;text\n`.
    ///
    /// - Returns: `nil` when it is about something else.
    init?(record: ArraySlice<UInt8>, of pool: DeviceNumber) {
        guard let semicolon = record.firstIndex(of: UInt8(ascii: ";")) else { return nil }
        let line = record[(semicolon + 1)...].prefix { $0 != UInt8(ascii: "\n") }
        let prefix = "device-mapper: thin: \(pool): ".utf8
        guard line.starts(with: prefix) else { return nil }
        let text = String(decoding: line.dropFirst(prefix.count), as: UTF8.self)
        if text.hasPrefix("reached low water mark for ") {
            self = .isLow
        } else if text.hasPrefix("switching pool to "), text.hasSuffix(" mode") {
            self = .mode(String(text.dropFirst("switching pool to ".count).dropLast(" mode".count)))
        } else {
            return nil
        }
    }
}
