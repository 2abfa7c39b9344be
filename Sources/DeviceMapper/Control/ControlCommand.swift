internal import CShims

/// A command of the control node, `DM_VERSION` to `DM_GET_TARGET_VERSION`.
public enum ControlCommand: UInt32, Hashable, Sendable, CaseIterable {
    case version = 0
    case removeAll = 1
    case listDevices = 2
    case createDevice = 3
    case removeDevice = 4
    case renameDevice = 5
    /// Suspends or resumes: the kernel has one command for both and a flag that tells which.
    case suspendDevice = 6
    case deviceStatus = 7
    case waitForEvent = 8
    case loadTable = 9
    case clearTable = 10
    case tableDependencies = 11
    case tableStatus = 12
    case listTargetVersions = 13
    case targetMessage = 14
    case setGeometry = 15
    case armPoll = 16
    case targetVersion = 17

    /// The interface version that a request carries: the lowest that has the command, because the kernel refuses a
    /// request whose minor version is above its own.
    public var minimumVersion: InterfaceVersion {
        switch self {
        case .listTargetVersions: InterfaceVersion(major: 4, minor: 1, patch: 0)
        case .targetMessage: InterfaceVersion(major: 4, minor: 2, patch: 0)
        case .setGeometry: InterfaceVersion(major: 4, minor: 6, patch: 0)
        case .armPoll: InterfaceVersion(major: 4, minor: 37, patch: 0)
        case .targetVersion: InterfaceVersion(major: 4, minor: 41, patch: 0)
        default: InterfaceVersion(major: 4, minor: 0, patch: 0)
        }
    }

    /// Whether an answer that did not fit may be asked for again.
    ///
    /// A message may not: it would be carried out twice.
    var mayBeRepeated: Bool { self != .targetMessage }

    /// Whether the request or its answer may hold the key of an encrypted device: a table does, and so does dm-crypt's
    /// message `key set`.
    ///
    /// No target is asked about here, so that a target which is not known cannot leave its keys behind. The kernel and
    /// ``RequestBuffer`` wipe their copies of such a command (`DM_SECURE_DATA_FLAG`).
    var mayCarrySecrets: Bool {
        switch self {
        case .loadTable, .tableStatus, .targetMessage: true
        default: false
        }
    }

    /// Whether the kernel explains a refusal in its log only.
    var isExplainedInLog: Bool {
        switch self {
        case .loadTable, .targetMessage, .suspendDevice: true
        default: false
        }
    }

    /// The action of the command, to complete "cannot …".
    var purpose: String {
        switch self {
        case .version: "ask for the device mapper's version"
        case .removeAll: "remove all devices"
        case .listDevices: "list the devices"
        case .createDevice: "create the device"
        case .removeDevice: "remove the device"
        case .renameDevice: "rename the device"
        case .suspendDevice: "suspend or resume the device"
        case .deviceStatus: "ask for the state of the device"
        case .waitForEvent: "wait for an event of the device"
        case .loadTable: "load a mapping table into the device"
        case .clearTable: "clear the inactive table of the device"
        case .tableDependencies: "ask which devices the table uses, of the device"
        case .tableStatus: "read the table or status of the device"
        case .listTargetVersions: "list the targets"
        case .targetMessage: "send a message to the device"
        case .setGeometry: "set the geometry of the device"
        case .armPoll: "arm the control node for events"
        case .targetVersion: "ask for the version of the target"
        }
    }
}

extension ControlCommand: CustomStringConvertible {
    /// The name of the ioctl.
    public var description: String {
        switch self {
        case .version: "DM_VERSION"
        case .removeAll: "DM_REMOVE_ALL"
        case .listDevices: "DM_LIST_DEVICES"
        case .createDevice: "DM_DEV_CREATE"
        case .removeDevice: "DM_DEV_REMOVE"
        case .renameDevice: "DM_DEV_RENAME"
        case .suspendDevice: "DM_DEV_SUSPEND"
        case .deviceStatus: "DM_DEV_STATUS"
        case .waitForEvent: "DM_DEV_WAIT"
        case .loadTable: "DM_TABLE_LOAD"
        case .clearTable: "DM_TABLE_CLEAR"
        case .tableDependencies: "DM_TABLE_DEPS"
        case .tableStatus: "DM_TABLE_STATUS"
        case .listTargetVersions: "DM_LIST_VERSIONS"
        case .targetMessage: "DM_TARGET_MSG"
        case .setGeometry: "DM_DEV_SET_GEOMETRY"
        case .armPoll: "DM_DEV_ARM_POLL"
        case .targetVersion: "DM_GET_TARGET_VERSION"
        }
    }
}

/// A version of the ioctl interface or of a target.
public struct InterfaceVersion: Hashable, Sendable, Comparable, CustomStringConvertible {
    /// Changes when the interface becomes incompatible.
    public var major: UInt32
    /// Grows with every addition.
    public var minor: UInt32
    /// Grows with every repair.
    public var patch: UInt32

    /// Makes a version of three parts.
    public init(major: UInt32, minor: UInt32, patch: UInt32) {
        self.major = major
        self.minor = minor
        self.patch = patch
    }

    /// The version since which `DM_LIST_DEVICES` tells uuids.
    static let listsUUIDs = InterfaceVersion(major: 4, minor: 45, patch: 0)
    /// The version since which `DM_TABLE_STATUS` tells what is measured.
    static let tellsMeasurements = InterfaceVersion(major: 4, minor: 45, patch: 0)

    /// The version as `4.47.0`.
    public var description: String { "\(major).\(minor).\(patch)" }

    /// Whether the first version is older.
    public static func < (left: InterfaceVersion, right: InterfaceVersion) -> Bool {
        (left.major, left.minor, left.patch) < (right.major, right.minor, right.patch)
    }
}

/// The flags of a request and of an answer, `DM_*_FLAG` in `linux/dm-ioctl.h`.
struct ControlFlags: OptionSet, Hashable, Sendable {
    let rawValue: UInt32

    init(rawValue: UInt32) {
        self.rawValue = rawValue
    }

    private init(_ flag: CInt) {
        rawValue = UInt32(flag)
    }

    static let readOnly = ControlFlags(DM_READONLY_FLAG)
    static let suspend = ControlFlags(DM_SUSPEND_FLAG)
    static let persistentNumber = ControlFlags(DM_PERSISTENT_DEV_FLAG)
    static let statusTable = ControlFlags(DM_STATUS_TABLE_FLAG)
    static let activePresent = ControlFlags(DM_ACTIVE_PRESENT_FLAG)
    static let inactivePresent = ControlFlags(DM_INACTIVE_PRESENT_FLAG)
    static let bufferFull = ControlFlags(DM_BUFFER_FULL_FLAG)
    static let skipLockFS = ControlFlags(DM_SKIP_LOCKFS_FLAG)
    static let noFlush = ControlFlags(DM_NOFLUSH_FLAG)
    static let queryInactive = ControlFlags(DM_QUERY_INACTIVE_TABLE_FLAG)
    static let eventGenerated = ControlFlags(DM_UEVENT_GENERATED_FLAG)
    static let uuid = ControlFlags(DM_UUID_FLAG)
    static let secureData = ControlFlags(DM_SECURE_DATA_FLAG)
    static let dataOut = ControlFlags(DM_DATA_OUT_FLAG)
    static let deferredRemove = ControlFlags(DM_DEFERRED_REMOVE)
    static let internalSuspend = ControlFlags(DM_INTERNAL_SUSPEND_FLAG)
    /// `DM_IMA_MEASUREMENT_FLAG`, which older headers do not have.
    static let measurement = ControlFlags(rawValue: 1 << 19)
}
