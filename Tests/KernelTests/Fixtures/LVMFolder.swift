import Glibc
import SystemPackage
import TestSupport

/// lvm2's folder of configuration for the tests of this process: a machine without lvm2 has no `/etc/lvm`, and the folder of a
/// machine with lvm2 is not to be written to.
enum LVMFolder {
    private static let folder = Result { try ScratchDirectory() }

    /// Has this process, and the programs that it starts, use the folder from now on.
    static func use() throws {
        unsafe setenv("LVM_SYSTEM_DIR", try folder.get().path.string, 1)
    }
}
