public import DeviceMapper

extension ThinPool {
    /// Deletes a thin device if the pool has it.
    ///
    /// - Throws: `DeviceMapperError.Code.busy` when the device is active.
    public func deleteIfPresent(_ number: ThinDeviceID) throws(DeviceMapperError) {
        do {
            try deleteDevice(number)
        } catch  where error.code == .noSuchThing {
            return
        }
    }

    /// Deletes a thin device, unless it is active.
    ///
    /// - Returns: Whether the pool does not have it any more.
    public func deleteUnlessActive(_ number: ThinDeviceID) throws(DeviceMapperError) -> Bool {
        do {
            try deleteIfPresent(number)
            return true
        } catch  where error.code == .busy {
            return false
        }
    }
}
