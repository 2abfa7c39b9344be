import TestSupport

/// The kernel that the tests run on.
enum KernelRelease {
    /// Whether it is Linux 5.10, the oldest that is tried, which does a few things its own way.
    static let isLinux5 = release.hasPrefix("5.")

    /// Whether a snapshot with the feature `discard_passdown_origin` stops the kernel, whoever makes it: 7.2.7 and 7.2.13 divide by
    /// zero when they compute its limits.
    static let cannotPassDiscardsToOrigins = release.hasPrefix("7.2.")

    /// Empty where there is no `uname`; then a test that the kernel cannot run fails.
    private static let release = (try? Shell.run("uname -r")) ?? ""
}
