#if Images
extension OutputSpan<UInt8> {
    /// Appends bytes, for which there must be room.
    mutating func append(copying bytes: Span<UInt8>) {
        unsafe withUnsafeMutableBufferPointer { target, filled in
            unsafe bytes.withUnsafeBytes { source in
                let free = unsafe UnsafeMutableRawBufferPointer(
                    rebasing: UnsafeMutableRawBufferPointer(target)[filled...])
                unsafe free.copyMemory(from: source)
                filled += source.count
            }
        }
    }
}

extension [UInt8] {
    /// Appends bytes.
    mutating func append(copying bytes: Span<UInt8>) {
        append(addingCapacity: bytes.count) { $0.append(copying: bytes) }
    }
}
#endif
