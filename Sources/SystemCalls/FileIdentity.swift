package import SystemPackage

extension Stat {
    /// Whether this is the same file as another, or the same device, whatever their paths are.
    package func isSameFile(as other: Stat) -> Bool {
        if type == .blockSpecial, other.type == .blockSpecial { return specialDeviceID == other.specialDeviceID }
        return inode == other.inode && deviceID == other.deviceID
    }
}
