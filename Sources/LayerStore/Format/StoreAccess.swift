/// The operations that an open store allows.
public enum StoreAccess: Hashable, Sendable {
    /// All operations.
    case readWrite
    /// Reading only: nothing is written to the store's files and devices, not even to the pool's metadata.
    case readOnly
}
