import DeviceMapper
import LayerStore
import SystemPackage
import TestSupport
import Testing

/// The objects of a store in the kernel: mapped devices, loop devices and mounts.
///
/// After its shutdown there must be nothing.
struct StoreRemains: Sendable {
    /// The place of the store.
    let root: FilePath
    /// The prefix of the names of its devices.
    let namePrefix: String
    /// The prefix of the uuids of its devices.
    let uuidPrefix: String

    /// - Parameter storeID: The store's own number; `nil` for a root that no store has been made of yet.
    init(of root: FilePath, storeID: String?) throws {
        let status = try Stat(root)
        self.root = root
        namePrefix = "docker-\(DeviceNumber(status.deviceID))-\(status.inode.rawValue)-"
        uuidPrefix = storeID.map { "DMLAYER-\($0)-" } ?? namePrefix
    }

    /// The mapped devices that have a name or a uuid of the store's.
    func devices() throws -> [DeviceInformation] {
        let control = try Control()
        return try control.devices().compactMap { entry in
            // Another test may remove a device of its own between the list and this question.
            guard let device = try control.informationIfPresent(on: .name(entry.name)) else { return nil }
            let isOurs =
                entry.name.description.hasPrefix(namePrefix) || device.uuid?.description.hasPrefix(uuidPrefix) == true
            return isOurs ? device : nil
        }
    }

    /// The devices whose input and output stand still, in words.
    func suspended() throws -> [String] {
        try devices().filter(\.isSuspended).map { "mapped device \($0.name) is suspended" }
    }

    /// Everything that is there, in words.
    func everything() throws -> [String] {
        let loops = try Shell.run(
            "losetup --list --noheadings --output NAME,BACK-FILE | awk -v root='\(root)/' 'index($2, root) == 1'")
        let mounts = try Shell.run(
            "awk -v root='\(root)/' 'index($5, root) == 1 { print $5 }' /proc/self/mountinfo")
        func words(_ what: String, _ lines: String) -> [String] { lines.split(separator: "\n").map { "\(what) \($0)" } }
        return try devices().map { "mapped device \($0.name), uuid \($0.uuid?.description ?? "none")" }
            + suspended() + words("loop device", loops) + words("mount", mounts)
    }
}

extension LayerStore {
    /// Ends a test: shuts the store down, and proves that nothing of it is left in the kernel.
    func shutDownLeavingNothing(at root: FilePath, _ location: SourceLocation = #_sourceLocation) throws {
        let remains = try StoreRemains(of: root, storeID: configuration.storeID)
        #expect(try remains.suspended() == [], sourceLocation: location)
        try shutdown()
        #expect(try remains.everything() == [], sourceLocation: location)
    }
}
