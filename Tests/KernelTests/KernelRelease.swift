import TestSupport

/// The kernel that the tests run on.
enum KernelRelease {
    /// Whether it is Linux 5.10, the oldest that is tried, which does a few things its own way.
    static let isLinux5 = (try? Shell.run("uname -r").hasPrefix("5.")) ?? false
}
