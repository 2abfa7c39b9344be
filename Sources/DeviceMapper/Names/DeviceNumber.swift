public import SystemPackage

/// The major and minor number of a block device.
///
/// Mapping tables and the kernel's messages write it as `major:minor`, which is also its ``description``.
public struct DeviceNumber: Hashable, Sendable {
    /// The number of the driver, 0 to 4095.
    public let major: UInt32
    /// The number of the device within its driver, 0 to 1,048,575.
    public let minor: UInt32

    /// Makes a number from its two parts.
    ///
    /// - Returns: `nil` when a part is too large for the kernel's `dev_t` (12 and 20 bits).
    public init?(major: UInt32, minor: UInt32) {
        guard major < 1 << 12, minor < 1 << 20 else { return nil }
        self.major = major
        self.minor = minor
    }

    /// Reads the kernel's 32-bit form, which `struct dm_ioctl` and `stat(2)` use: the minor's low byte, the major, and
    /// the rest of the minor above.
    public init(encoded: UInt64) {
        major = UInt32(truncatingIfNeeded: encoded >> 8) & 0xfff
        minor = UInt32(truncatingIfNeeded: encoded & 0xff) | UInt32(truncatingIfNeeded: encoded >> 12) & 0xfff00
    }

    /// Reads the number that `stat(2)` gives.
    public init(_ id: DeviceID) {
        self.init(encoded: UInt64(id.rawValue))
    }

    /// The kernel's 32-bit form.
    public var encoded: UInt64 {
        UInt64(minor & 0xff) | UInt64(major) << 8 | UInt64(minor >> 8) << 20
    }
}

extension DeviceNumber: LosslessStringConvertible {
    /// Reads `major:minor`.
    public init?(_ description: String) {
        let parts = description.split(separator: ":", omittingEmptySubsequences: false)
        guard parts.count == 2, let major = UInt32(parts[0]), let minor = UInt32(parts[1]) else { return nil }
        self.init(major: major, minor: minor)
    }

    /// The number as `major:minor`.
    public var description: String { "\(major):\(minor)" }
}
