#if Images
internal import LayerArchive
internal import LayerStore
internal import Synchronization
internal import SystemCalls
internal import SystemPackage

/// An input that a thread of its own reads, ahead of its user: both work at the same time.
final class BackgroundInput: ArchiveInput {
    private static let pieces = 8
    private static let pieceSize = 1 << 18

    /// The state that the thread and the user of the input share.
    private final class Exchange: Sendable {
        struct State {
            var filled: [[UInt8]] = []
            var empty = [[UInt8]](repeating: [], count: BackgroundInput.pieces)
            /// Set when the thread has read everything, or could not go on.
            var end: Result<Void, Errno>?
            var isStopped = false
        }
        let state = Mutex(State())
        let hasFilled = Semaphore()
        let hasEmpty = Semaphore()
    }

    /// Carries the input to the thread, which alone uses it from then on.
    private struct Source: @unchecked Sendable {
        let input: any ArchiveInput
    }

    private let exchange = Exchange()
    private let source: Source
    /// The thread; without one, the input is read directly.
    private var thread: pthread_t?
    private var piece: [UInt8] = []
    private var used = 0

    /// Begins to read `source`, which nothing else may use before ``stop()``.
    init(_ source: any ArchiveInput) {
        self.source = Source(input: source)
        thread = startWorker { [source = self.source, exchange] in Self.run(source, exchange) }
    }

    deinit { stop() }

    /// Waits until the thread uses the input no more.
    func stop() {
        guard let thread else { return }
        exchange.state.withLock { $0.isStopped = true }
        exchange.hasEmpty.signal()
        pthread_join(thread, nil)
        self.thread = nil
    }

    func read(into buffer: inout OutputSpan<UInt8>) throws(Errno) {
        guard thread != nil else { return try source.input.read(into: &buffer) }
        if used == piece.count { try exchangePieces() }
        let count = min(buffer.freeCapacity, piece.count - used)
        buffer.append(copying: piece.span.extracting(used..<(used + count)))
        used += count
    }

    /// Gives the piece that was used back, and takes the next one; it is empty at the end.
    private func exchangePieces() throws(Errno) {
        used = 0
        piece.removeAll(keepingCapacity: true)
        var returned: [UInt8]? = piece
        while true {
            let next: Result<[UInt8], Errno>? = exchange.state.withLock { state in
                if let empty = returned.take() { state.empty.append(empty) }
                if !state.filled.isEmpty { return .success(state.filled.removeFirst()) }
                return state.end?.map { [] }
            }
            exchange.hasEmpty.signal()
            if let next {
                piece = try next.get()
                return
            }
            exchange.hasFilled.wait(seconds: nil)
        }
    }

    private static func run(_ source: Source, _ exchange: Exchange) {
        while true {
            let (next, isStopped) = exchange.state.withLock { ($0.empty.popLast(), $0.isStopped) }
            guard !isStopped else { return }
            if var piece = next {
                var end: Result<Void, Errno>?
                do throws(Errno) {
                    while piece.count < pieceSize, end == nil {
                        let before = piece.count
                        try piece.append(addingCapacity: pieceSize - before) { (free) throws(Errno) in
                            try source.input.read(into: &free)
                        }
                        if piece.count == before { end = .success(()) }
                    }
                } catch {
                    end = .failure(error)
                }
                exchange.state.withLock { state in
                    if !piece.isEmpty { state.filled.append(piece) }
                    state.end = end
                }
                exchange.hasFilled.signal()
                if end != nil { return }
            } else {
                exchange.hasEmpty.wait(seconds: nil)
            }
        }
    }
}
#endif
