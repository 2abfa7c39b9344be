/// What a store is opened for.
public enum StoreAccess: Hashable, Sendable {
    /// Everything.
    case readWrite
    /// Looking at it: nothing is written to its files and devices, not even to the pool's metadata.
    case readOnly
}
