internal import BlockDevices
internal import SystemPackage

/// The pool's count of events at the time a snapshot was made.
///
/// The kernel can fail to write a layer's data back after its writers have gone, and then reports that to nobody. A snapshot
/// is therefore not committed if writes to its pool have failed since then, even if the pool works again.
struct PoolEventMark: Hashable, Sendable, Codable {
    /// The boot id of the machine at that time; the kernel counts from zero again after a boot.
    var boot: String
    /// The number of the pool's last event.
    var number: UInt32

    /// The boot id now; empty if the kernel does not tell it, which matches no mark that was made with one.
    static let thisBoot = (try? PseudoFile.readLine("/proc/sys/kernel/random/boot_id")) ?? ""
}
