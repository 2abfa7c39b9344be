internal import BlockDevices
internal import Filesystems

/// Something that uses the device of a layer.
public struct LayerUser: Hashable, Sendable, CustomStringConvertible {
    /// The kinds of users.
    public enum Kind: String, Hashable, Sendable {
        /// A process with a file or directory of the layer open.
        case process
        /// A mount namespace in which the layer is mounted.
        case mount
        /// A block device on top of the layer's.
        case device
    }

    /// The kind of the user.
    public let kind: Kind
    /// The id of the process, or of a process in the mount namespace; `nil` for a device.
    public let processID: Int?
    /// The name of the process, or of the device.
    public let name: String
    /// The path that the process has open, or at which the layer is mounted; `nil` for a device.
    public let path: String?
    /// The user and the path by which it uses the layer, for a message.
    public let description: String

    /// Makes a value like one of the library's, for the test of a program that uses it.
    public init(kind: Kind, processID: Int? = nil, name: String, path: String? = nil, description: String) {
        self.kind = kind
        self.processID = processID
        self.name = name
        self.path = path
        self.description = description
    }

    init(_ user: DeviceUser) {
        description = user.description
        switch user {
        case .process(let process, let name, let path):
            kind = .process
            processID = process
            self.name = name
            self.path = path
        case .mount(let process, let name, let mountPoint):
            kind = .mount
            processID = process
            self.name = name
            path = mountPoint
        case .holder(let holder):
            kind = .device
            processID = nil
            name = holder.mapping?.name ?? holder.kernelName
            path = nil
        }
    }
}

/// The state of a layer after its device was taken down, or will be.
public enum LayerRelease: Hashable, Sendable {
    /// The layer is down.
    case done
    /// There was no such layer.
    case absent
    /// The layer is detached from its mount point, and its device is removed when these users have ended.
    ///
    /// The list is empty where only users outside this process namespace are left.
    case deferred(until: [LayerUser])

    /// The users that are waited for, in one sentence; `nil` when the layer is down or absent.
    public var users: String? {
        if case .deferred(let users) = self { users.sentence } else { nil }
    }
}

extension [LayerUser] {
    /// All users in one sentence.
    var sentence: String {
        isEmpty ? "something outside this process namespace" : map(\.description).joined(separator: ", ")
    }
}
