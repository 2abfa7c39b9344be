internal import SystemCalls
package import SystemPackage

/// The names in a directory.
package enum DirectoryListing {
    /// Reads the names in a directory, without `.` and `..`, in no order.
    ///
    /// The corresponding C function is `readdir`.
    package static func names(in directory: FilePath) throws(Errno) -> [FilePath.Component] {
        let opened = try unsafe pointerCall { unsafe directory.withPlatformString { unsafe opendir($0) } }
        guard let stream = unsafe opened else { return [] }
        defer { unsafe closedir(stream) }
        var names: [FilePath.Component] = []
        while true {
            guard let entry = try unsafe pointerCall({ unsafe readdir(stream) }) else { return names }
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { tuple in
                unsafe tuple.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: tuple.pointee)) {
                    unsafe FilePath.Component(platformString: $0)
                }
            }
            if let name, name.kind == .regular { names.append(name) }
        }
    }
}
