internal import DeviceMapper
internal import SystemCalls
internal import SystemPackage
internal import ThinProvisioning

/// Mounts and unmounts layers.
struct MountLayer {
    let core: StoreCore

    /// Mounts a layer, or leaves it mounted.
    ///
    /// - Returns: The path of the layer's content.
    func mount(_ id: LayerID, label: String?) throws -> FilePath {
        try core.requireLayer(id)
        return try StoreSession.run(in: core, locking: [id]) { session, layers in
            let layer = layers[0]
            let record = try core.existing(id)
            try core.service.requireNone(for: record)
            let content = record.content.path(in: core.directory.mountPoint(of: id))
            let active = try core.devices.active(record.deviceID, of: layer)
            let wasMounted = try active.map { try core.mounts.isMounted($0, of: id) } ?? false
            if wasMounted, let label { try core.mounts.requireLabel(label, of: id) }
            if !wasMounted { try core.mounts.mount(layer, record, active, label: label, in: session.pool) }
            guard record.content.isMadeByStore, !(wasMounted && Self.exists(content)) else { return content }
            do {
                try core.mounts.prepareContent(content, of: id)
            } catch {
                // The first failure is the one to report.
                if !wasMounted { _ = try? core.mounts.takeDown(layer, record.deviceID) }
                throw error
            }
            return content
        }
    }

    /// Whether a layer's content is there: a failed enlargement can leave a layer mounted without it.
    ///
    /// A file system that is frozen, as while it is copied, can be asked. Making the directory would wait.
    private static func exists(_ content: FilePath) -> Bool {
        // A content that cannot be asked for is made, which says why.
        (try? systemCall { unsafe faccessat(AT_FDCWD, content.string, F_OK, 0) }) != nil
    }

    /// Unmounts a layer if it is mounted.
    func unmount(_ id: LayerID) throws -> LayerRelease {
        let release = try StoreSession.runIfActive(in: core, locking: [id]) { session, layers -> LayerRelease in
            let record = try core.existing(id)
            try core.service.requireNone(for: record)
            try core.requireRunning(session.pool, until: session.holder.deadline)
            return try core.mounts.takeDown(
                layers[0], record.deviceID, isDeferred: core.configuration.defersRemoval)
        }
        if let release { return release }
        // Without its pool no layer is mounted.
        _ = try core.existing(id)
        return .done
    }
}
