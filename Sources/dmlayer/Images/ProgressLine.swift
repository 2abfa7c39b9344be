#if Images
internal import Images
internal import LayerStore
internal import SystemCalls
internal import SystemPackage

/// A line on a terminal that says how far an import has come; nothing elsewhere.
struct ProgressLine {
    private let isShown = isatty(STDERR_FILENO) == 1

    func show(_ progress: ImageStore.Progress) {
        switch progress {
        case .copied(let bytes): write("\r\(ByteSize.decimal(UInt64(bytes))) copied\u{1b}[K")
        case .layer(let number, let count, let image): write("\r\(image.short): layer \(number) of \(count)\u{1b}[K")
        }
    }

    /// Takes the line away, so that something else can be printed.
    func clear() { write("\r\u{1b}[K") }

    private func write(_ text: String) {
        // Progress that cannot be shown does not end the command.
        if isShown { _ = try? FileDescriptor.standardError.writeAll(text.utf8) }
    }
}
#endif
