internal import SystemPackage

/// The place of a layer's content within its file system, and whether the content may be changed.
///
/// All code that mounts, reads or changes the content of a layer uses this type.
struct ContentPlace: Hashable, Sendable {
    /// The layout of a layer's file system.
    private enum Layout: Hashable {
        /// Docker's: the content is in the directory `rootfs`, with a file `id` beside it.
        case docker
        /// containerd's: the content is the whole file system.
        case containerd
    }

    private let layout: Layout
    /// The reason why the content never changes; `nil` when it may be changed.
    private let fixedReason: String?

    fileprivate init(_ snapshot: SnapshotRecord?) {
        layout = snapshot == nil ? .docker : .containerd
        fixedReason =
            switch snapshot?.kind {
            case nil, .active: nil
            case .committed:
                snapshot.map {
                    "it is containerd's committed snapshot “\($0.key)”, from which other snapshots are made"
                }
            case .view: snapshot.map { "it is containerd's view “\($0.key)”, which is only read" }
            }
    }

    /// The path of the content's directory, relative to the root of the layer's file system.
    var relativePath: String { layout == .docker ? "rootfs" : "." }

    /// The path of the content where the layer is mounted.
    func path(in mountPoint: FilePath) -> FilePath {
        layout == .docker ? mountPoint.appending("rootfs") : mountPoint
    }

    /// Whether the store makes the directory of the content if it is missing.
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
    /// The place of the layer's content, and whether it may be changed.
    var content: ContentPlace { ContentPlace(snapshot) }
}
