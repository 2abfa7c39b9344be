internal import SystemCalls
internal import LayerStore

/// Whose the files of a snapshot are in a user namespace.
extension Snapshotter {
    /// The options that map the owners of a snapshot's files; `nil` when the files have those of the namespace already.
    ///
    /// Without the capability “remap-ids”, containerd changes the owners of all files in a copy of the image, makes the
    /// snapshot from that, and sends the labels all the same.
    func mountOptions(
        _ mapping: IDMapping, of key: String, from origin: LayerID?
    ) throws(SnapshotterError) -> [String]? {
        if let origin {
            let owner = try attempting("make snapshot “\(key)”") { () throws(LayerStoreError) in
                try store.owner(of: origin)
            }
            if mapping.isRoot(user: owner.user, group: owner.group) { return nil }
        }
        let request =
            "cannot make snapshot “\(key)”: the label \(IDMapping.userLabel) asks for a mount that maps the owners of files "
            + "(id-mapped)"
        guard LayerStore.hasMappedOwners else {
            throw SnapshotterError(
                .failedPrecondition,
                "\(request), which ext4 and XFS have since Linux 5.12, and this is \(Self.kernelRelease()). Take “remap-ids” "
                    + "out of the capabilities of the proxy plugin, and containerd 1.7 or later changes the owners itself; so does “ctr run” "
                    + "without --remap-labels")
        }
        guard mapsOwners else {
            throw SnapshotterError(
                .failedPrecondition,
                "\(request), which containerd makes from version 2.0 on: with that, start “dmlayer serve” with --remap-ids. With "
                    + "containerd 1, take “remap-ids” out of the capabilities of the proxy plugin, and 1.7 changes the owners itself; "
                    + "so does “ctr run” without --remap-labels")
        }
        return mapping.mountOptions
    }

    private static func kernelRelease() -> String {
        var names = utsname()
        guard unsafe uname(&names) == 0 else { return "an older one" }
        return unsafe withUnsafeBytes(of: &names.release) {
            unsafe String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
        }
    }
}
