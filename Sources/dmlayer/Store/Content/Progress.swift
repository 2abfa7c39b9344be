internal import SystemCalls
internal import LayerArchive
internal import LayerStore
internal import SystemPackage

/// An archive on its way, whose progress is shown on standard error.
final class Progress: ArchiveInput, ArchiveOutput {
    private let descriptor: FileDescriptor
    private var count: UInt64 = 0
    private var shown = ContinuousClock.now

    private init(_ descriptor: FileDescriptor) {
        self.descriptor = descriptor
    }

    /// The archive with its progress shown, or as it is where nobody sees it.
    static func showing(_ descriptor: FileDescriptor) -> any ArchiveInput & ArchiveOutput {
        isatty(STDERR_FILENO) == 1 ? Progress(descriptor) : descriptor
    }

    deinit {
        // Back to the beginning of the line, and erase it.
        show("\r\u{1b}[K")
    }

    func read(into buffer: inout OutputSpan<UInt8>) throws(Errno) {
        let before = buffer.count
        try descriptor.read(into: &buffer)
        advance(buffer.count - before)
    }

    func write(contentsOf bytes: Span<UInt8>) throws(Errno) {
        try descriptor.write(contentsOf: bytes)
        advance(bytes.count)
    }

    private func advance(_ bytes: Int) {
        count += UInt64(bytes)
        guard shown.duration(to: .now) >= .milliseconds(200) else { return }
        shown = .now
        show("\r\(ByteSize.decimal(count))\u{1b}[K")
    }

    private func show(_ text: String) {
        // Progress that cannot be shown does not end the command.
        _ = try? FileDescriptor.standardError.writeAll(text.utf8)
    }
}
