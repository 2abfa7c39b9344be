internal import SystemPackage

/// Where the content of a layer is within its file system, and whether it may be changed.
///
/// Everything that mounts, reads or changes the content of a layer asks here.
struct ContentPlace: Hashable, Sendable {
    /// The layout of a layer's file system.
    private enum Layout: Hashable {
        /// Docker's: the content is in the directory `rootfs`, with a file `id` beside it.
        case docker
        /// containerd's: all of the file system is the content.
        case containerd
    }

    private let layout: Layout
    /// Why the content never changes; `nil` when it may be changed.
    private let fixedReason: String?

    fileprivate init(_ snapshot: SnapshotRecord?) {
        layout = snapshot == nil ? .docker : .containerd
        fixedReason =
            switch snapshot?.kind {
            case nil, .active: nil
            case .committed:
                snapshot.map { "it is containerd's committed snapshot “\($0.key)”, which others are made from" }
            case .view: snapshot.map { "it is containerd's view “\($0.key)”, which is only read" }
            }
    }

    /// The path of the content's directory, relative to the root of the layer's file system.
    var relativePath: String { layout == .docker ? "rootfs" : "." }

    /// The path of the content where the layer is mounted.
    func path(in mountPoint: FilePath) -> FilePath {
        layout == .docker ? mountPoint.appending("rootfs") : mountPoint
    }

    /// Whether the store makes the content's directory where it is missing.
    var isMadeByStore: Bool { layout == .docker }

    /// Whether the content may be changed; otherwise the layer is mounted read-only.
    var isWritable: Bool { fixedReason == nil }

    /// - Throws: ``LayerStoreError/Code/readOnly`` with the reason, when the content never changes.
    func requireWritable() throws(LayerStoreError) {
        guard let fixedReason else { return }
        throw LayerStoreError(
            .readOnly, "\(fixedReason), and must not change; with containerd, prepare a snapshot of it and change that")
    }
}

extension LayerRecord {
    /// Where the layer's content is, and whether it may be changed.
    var content: ContentPlace { ContentPlace(snapshot) }
}
