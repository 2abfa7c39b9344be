public import DeviceMapper
internal import SystemPackage

/// Another block device that is built on a device, and so holds it.
public struct DeviceHolder: Hashable, Sendable {
    /// The holder's number.
    public let number: DeviceNumber
    /// The kernel's name of it, `dm-3`.
    public let kernelName: String
    /// The name and uuid of the mapping, if the holder is one of the device mapper's; the uuid may be empty.
    public let mapping: Mapping?

    /// Makes a value like one of the library's, for the test of a program that uses it.
    public init(number: DeviceNumber, kernelName: String, mapping: Mapping? = nil) {
        self.number = number
        self.kernelName = kernelName
        self.mapping = mapping
    }

    /// The names of a mapped device.
    public struct Mapping: Hashable, Sendable {
        /// The name that the device mapper knows it by.
        public let name: String
        /// The uuid that its maker gave it, which need not look like one; often its prefix tells the maker.
        public let uuid: String

        /// Makes a value like one of the library's, for the test of a program that uses it.
        public init(name: String, uuid: String) {
            self.name = name
            self.uuid = uuid
        }
    }

    /// The devices that are built directly on the device with this number: mappings, RAID arrays and the like.
    ///
    /// The corresponding file is `/sys/dev/block/MAJOR:MINOR/holders`. A file system, swap and a process that has the
    /// device open do not appear there.
    ///
    /// - Throws: ``BlockDeviceError`` with the code `notFound` when there is no such device.
    public static func holders(of number: DeviceNumber) throws(BlockDeviceError) -> [DeviceHolder] {
        let directory = SysfsBlock.directory(of: number).appending("holders")
        let names: [FilePath.Component]
        do {
            names = try DirectoryListing.names(in: directory)
        } catch {
            throw BlockDeviceError("list", directory, error)
        }
        return names.compactMap { name in
            // A holder that has gone meanwhile is none any more.
            let holder = directory.appending(name)
            guard let number = try? SysfsBlock.number(in: holder) else { return nil }
            var mapping: Mapping?
            if let name = try? PseudoFile.readLine(holder.appending("dm/name")) {
                let uuid = try? PseudoFile.readLine(holder.appending("dm/uuid"))
                mapping = Mapping(name: name, uuid: uuid ?? "")
            }
            return DeviceHolder(number: number, kernelName: name.string, mapping: mapping)
        }.sorted { $0.number.encoded < $1.number.encoded }
    }
}

extension DeviceHolder: CustomStringConvertible {
    /// The name that a person knows the holder by, and its number.
    public var description: String {
        guard let mapping else { return "block device \(kernelName) (\(number))" }
        let uuid = mapping.uuid.isEmpty ? "" : ", uuid \(mapping.uuid)"
        return "mapped device \(mapping.name) (\(kernelName), \(number)\(uuid))"
    }
}
