internal import ThinProvisioning

/// Blocks of numbers of thin devices, in which numbers are reserved for new layers.
///
/// Numbers go around: the number behind the largest is 1.
enum NumberBlock {
    /// How many numbers a reservation covers: also the number of deletions that a start after a crash may need.
    static let size: UInt32 = 32
}

extension ThinDeviceID {
    /// How many numbers further another number is.
    func distance(to other: ThinDeviceID) -> UInt32 {
        other >= self ? other.value - value : Self.maximum.value - value + other.value
    }

    /// The number `distance` further.
    func advanced(by distance: UInt32) -> ThinDeviceID { (0..<distance).reduce(self) { id, _ in id.next } }
}
