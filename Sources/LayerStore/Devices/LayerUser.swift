internal import BlockDevices
internal import Filesystems

/// Something that uses the device of a layer.
public struct LayerUser: Hashable, Sendable, CustomStringConvertible {
    /// What it is.
    public enum Kind: String, Hashable, Sendable {
        /// A process with a file or directory of the layer open.
        case process
        /// A mount namespace in which the layer is mounted.
        case mount
        /// A block device on top of the layer's.
        case device
    }

    /// What it is.
    public let kind: Kind
    /// The process, or one of the mount namespace's; `nil` for a device.
    public let processID: Int?
    /// The name of the process, or of the device.
    public let name: String
    /// What the process has open, or where the layer is mounted; `nil` for a device.
    public let path: String?
    /// Who it is and what of the layer it uses.
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

/// What has become of a layer that was taken down.
public enum LayerRelease: Hashable, Sendable {
    /// It is down.
    case done
    /// There was no such layer.
    case absent
    /// It is detached from its mount point, and goes down by itself when these have ended.
    ///
    /// There are none where something outside this process namespace uses it.
    case deferred(until: [LayerUser])

    /// Who is waited for, in one sentence; `nil` when it is down.
    public var users: String? {
        if case .deferred(let users) = self { users.sentence } else { nil }
    }
}

extension [LayerUser] {
    /// All of them in one sentence.
    var sentence: String {
        isEmpty ? "something outside this process namespace" : map(\.description).joined(separator: ", ")
    }
}
