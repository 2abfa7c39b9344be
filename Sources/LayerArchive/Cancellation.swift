/// A request to end long work early, because its result is not wanted any more.
///
/// The work asks for it before each entry and about once per mebibyte.
public struct Cancellation: Sendable {
    private let isRequested: @Sendable () -> Bool

    /// Makes a cancellation from a function that returns `true` when the work is to end; it is called often.
    public init(_ isRequested: @escaping @Sendable () -> Bool) {
        self.isRequested = isRequested
    }

    /// The work is wanted, whatever happens.
    public static let never = Cancellation { false }

    /// - Throws: ``LayerArchiveError/Code/cancelled`` when the work is to end.
    package func check() throws(LayerArchiveError) {
        guard !isRequested() else { throw LayerArchiveError(.cancelled, "the work was cancelled") }
    }
}
