internal import Glibc
package import SystemPackage

/// The names in a directory.
package enum DirectoryListing {
    /// Reads the names in a directory, without `.` and `..`, in no order.
    ///
    /// The corresponding C function is `readdir`.
    package static func names(in directory: FilePath) throws(Errno) -> [FilePath.Component] {
        guard let stream = unsafe directory.withPlatformString({ unsafe opendir($0) }) else {
            throw Errno(rawValue: errno)
        }
        defer { unsafe closedir(stream) }
        var names: [FilePath.Component] = []
        while true {
            // readdir(3) tells its end from a failure by errno alone.
            errno = 0
            guard let entry = unsafe readdir(stream) else {
                guard errno == 0 else { throw Errno(rawValue: errno) }
                return names
            }
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { tuple in
                unsafe tuple.withMemoryRebound(to: CChar.self, capacity: MemoryLayout.size(ofValue: tuple.pointee)) {
                    unsafe FilePath.Component(platformString: $0)
                }
            }
            if let name, name.kind == .regular { names.append(name) }
        }
    }
}
