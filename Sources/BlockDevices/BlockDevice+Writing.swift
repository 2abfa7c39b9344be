internal import SystemPackage

extension BlockDevice {
    /// Writes `bytes` into the page cache of the device; ``flush()`` makes them durable.
    ///
    /// It blocks where the page cache is full; on a thin device of a full pool, until the pool is larger.
    ///
    /// The corresponding C function is `pwrite`.
    ///
    /// - Parameters:
    ///   - bytes: The bytes to write.
    ///   - offset: The place of the first byte; no alignment is needed.
    /// - Throws: ``BlockDeviceError``, with the code `outOfRange` when the device is too short.
    public func write(_ bytes: [UInt8], offset: UInt64) throws(BlockDeviceError) {
        let size = try size()
        guard offset <= size, UInt64(bytes.count) <= size - offset, let start = Int64(exactly: offset) else {
            throw BlockDeviceError(
                .outOfRange, "write", path, detail: "\(bytes.count) bytes at \(offset) of \(size)")
        }
        let held = try holdDescriptor("write")
        do {
            try unsafe bytes.withUnsafeBytes { buffer in
                _ = try unsafe held.descriptor.writeAll(toAbsoluteOffset: start, buffer)
            }
        } catch {
            throw BlockDeviceError("write", path, (error as? Errno) ?? .ioError)
        }
    }
}
