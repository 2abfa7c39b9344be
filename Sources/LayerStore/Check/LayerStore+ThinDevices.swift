internal import ThinProvisioning

extension LayerStore {
    /// The number after which new thin devices are made: the highest that a layer has, or a higher one.
    ///
    /// The recovery deletes what it finds in the numbers that are reserved for new layers, and no layer has. So a thin device
    /// whose layer's file was lost must not lie there.
    func lastID(before registered: Set<ThinDeviceID>, in pool: ThinPool) -> ThinDeviceID {
        var last = registered.max() ?? .maximum
        var others = Set(
            (try? ThinPoolMetadata.consistently(reading: metadataDevice(of: pool)) { try $0.devices().map(\.id) }) ?? []
        ).subtracting(registered)
        while let other = others.first(where: { last.distance(to: $0) <= DeviceIDAllocator.blockSize }) {
            others.remove(other)
            last = other
        }
        return last
    }
}

extension ThinDeviceID {
    /// How many numbers further another one is, over the end if it is lower.
    fileprivate func distance(to other: ThinDeviceID) -> UInt32 {
        other > self ? other.value - value : ThinDeviceID.maximum.value - value + other.value
    }
}
