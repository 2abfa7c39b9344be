/// An extended attribute of a file: a name as `user.comment`, and bytes.
public struct ExtendedAttribute: Hashable, Sendable {
    /// The bytes of the name, with its namespace.
    public var name: [UInt8]
    /// The value; it may be empty.
    public var value: [UInt8]

    /// Makes an attribute.
    public init(name: [UInt8], value: [UInt8]) {
        self.name = name
        self.value = value
    }
}

extension ExtendedAttribute {
    static let capability = Array("security.capability".utf8)
    static let accessList = Array("system.posix_acl_access".utf8)
    static let defaultAccessList = Array("system.posix_acl_default".utf8)

    /// The attributes that cannot be given to a copy: `security.evm` signs the inode itself, and `security.selinux`
    /// comes from the policy of the host and the options of the mount.
    static let boundToOriginal: Set = [Array("security.evm".utf8), Array("security.selinux".utf8)]
}
