/// A device that is to be made, as one of several that stand on each other.
public struct PlannedDevice: Hashable, Sendable {
    /// The name of the new device.
    public var name: DeviceName
    /// Its DM uuid.
    public var uuid: DeviceUUID?
    /// Its table, in which `/dev/mapper/NAME` may stand for another planned device.
    public var table: MappingTable

    /// Makes a plan.
    public init(_ name: DeviceName, uuid: DeviceUUID? = nil, table: MappingTable) {
        self.name = name
        self.uuid = uuid
        self.table = table
    }
}

extension Control {
    /// Makes devices that stand on each other: all of them, or none.
    ///
    /// A device is made after those that its table names. In a table, `/dev/mapper/NAME` becomes the number of the planned device
    /// NAME, so that no node is needed. When a device cannot be made, those that were made before it are removed, the last one
    /// first.
    ///
    /// - Parameters:
    ///   - plans: The devices, in any order.
    ///   - udev: The flags and the cookie for udev.
    /// - Returns: The states of the devices, in the order of `plans`.
    /// - Throws: ``DeviceMapperError/Code/invalidTable`` for devices that stand on each other in a circle, and for two with one
    ///   name; the errors of ``activateDevice(_:uuid:minor:table:udev:)``.
    @discardableResult
    public func activateDevices(
        _ plans: [PlannedDevice], udev: UdevNotice = .hidden
    ) throws(DeviceMapperError) -> [DeviceInformation] {
        var made: [DeviceInformation] = []
        var numbers: [String: DeviceNumber] = [:]
        do {
            for plan in try DeviceStack(plans).fromTheBottom() {
                let device = try activateDevice(
                    plan.name, uuid: plan.uuid, table: plan.table.naming(numbers), udev: udev)
                made.append(device)
                numbers[DeviceStack.path(plan.name)] = device.number
            }
        } catch {
            for device in made.reversed() { removeCreated(device) }
            throw error
        }
        return plans.compactMap { plan in made.first { $0.name == plan.name } }
    }
}

/// Planned devices and which of them stand on which.
struct DeviceStack {
    private let plans: [String: PlannedDevice]
    private let order: [String]

    init(_ plans: [PlannedDevice]) throws(DeviceMapperError) {
        order = plans.map { Self.path($0.name) }
        self.plans = Dictionary(zip(order, plans)) { first, _ in first }
        guard self.plans.count == plans.count else {
            throw DeviceMapperError(.invalidTable, detail: "two of the planned devices have one name")
        }
    }

    /// How a table names a device by its node.
    static func path(_ name: DeviceName) -> String { "/dev/mapper/\(name)" }

    /// The devices, each behind those that its table names.
    func fromTheBottom() throws(DeviceMapperError) -> [PlannedDevice] {
        var done: [String] = []
        var under: Set<String> = []
        for path in order { try add(path, to: &done, under: &under) }
        return done.compactMap { plans[$0] }
    }

    /// - Parameter under: The devices that stand on this one.
    private func add(
        _ path: String, to done: inout [String], under: inout Set<String>
    ) throws(DeviceMapperError) {
        guard let plan = plans[path], !done.contains(path) else { return }
        guard under.insert(path).inserted else {
            throw DeviceMapperError(
                .invalidTable, device: plan.name.description, detail: "the device stands on itself, by way of others")
        }
        for word in plan.table.entries.flatMap({ $0.target.words }) { try add(word, to: &done, under: &under) }
        under.remove(path)
        done.append(path)
    }
}

extension MappingTable {
    /// The table with numbers for the paths of devices.
    fileprivate func naming(_ numbers: [String: DeviceNumber]) -> MappingTable {
        var table = self
        for (index, entry) in entries.enumerated() where entry.target.words.contains(where: { numbers[$0] != nil }) {
            let words = entry.target.words.map { numbers[$0]?.description ?? TargetWords.escaped($0) }
            table.entries[index].target = Target(
                type: entry.target.type, parameters: words.joined(separator: " "))
        }
        return table
    }
}

extension Target {
    /// The words of the parameters.
    fileprivate var words: [String] {
        var words = TargetWords(parameters)
        return words.rest()
    }
}
