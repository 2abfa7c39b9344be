import DeviceMapper
import SystemPackage

/// Where events are written down so that they survive the power cut.
///
/// They go to a file of the host, whose writes have left the sandbox's kernel when they return; and, as marks, into the
/// log of the writes of the disk, between the writes that came before and those that come after.
struct EventLog: Sendable {
    private let file: FileDescriptor
    private let control: Control
    private let device: DeviceReference

    /// Opens the log.
    ///
    /// - Parameters:
    ///   - path: The file, on the host.
    ///   - device: The name of the mapped device that logs the writes.
    init(_ path: FilePath, device: String) throws {
        file = try FileDescriptor.open(
            path, .writeOnly, options: [.create, .append, .closeOnExec], permissions: .ownerReadWrite)
        control = try Control()
        self.device = .name(try DeviceName(device))
    }

    /// Writes an event down.
    func record(_ event: Event) throws {
        try control.sendMessage("mark \(event.text)", to: device)
        // One write, so that the lines of two processes do not mix.
        try file.writeAll("\(event.text)\n".utf8)
    }
}
