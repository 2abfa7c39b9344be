#if Images
internal import BlockDevices
public import SystemPackage

/// The containers of a root of Docker's.
public struct ContainerCatalog: Sendable {
    /// The containers that have layers in the root, the newest first.
    public let containers: [StoredContainer]
    /// A text for each file that could not be read, with its path and the reason.
    public let problems: [String]

    /// Reads the containers beside the root of the driver.
    ///
    /// - Throws: ``ImageError/Code/noImages`` where Docker keeps none.
    public init(of driverRoot: FilePath) throws {
        let folders = ImageFolders(of: driverRoot)
        let folder = folders.containers
        let names: [FilePath.Component]
        do {
            // Beside a root of our own, such a folder belongs to another program.
            guard folders.areDockers else { throw Errno.noSuchFileOrDirectory }
            names = try DirectoryListing.names(in: folder)
        } catch {
            throw ImageError(
                .noImages,
                "there are no containers of Docker's beside \(driverRoot): cannot read \(folder): \(error). "
                    + "Give the driver's folder of Docker's data root, as in --root /var/lib/docker/devicemapper")
        }
        var (containers, problems): ([StoredContainer], [String]) = ([], [])
        for name in names {
            do {
                let path = folder.appending(name).appending("config.v2.json")
                guard let id = ContentDigest(hexadecimal: name.string) else {
                    throw ImageError(.damaged, "\(folder)/\(name) is no container: its name is no id")
                }
                let document = try ImageFile.decode(JSON.self, path)
                // Docker leaves the containers of other drivers out, too.
                guard document["Driver"]?.text ?? "devicemapper" == "devicemapper" else { continue }
                containers.append(StoredContainer(id: id, document: document))
            } catch {
                problems.append("\(error)")
            }
        }
        self.containers = containers.sorted {
            ($1.created, $0.id.hexadecimal) < ($0.created, $1.id.hexadecimal)
        }
        self.problems = problems.sorted()
    }

    /// Finds a container by its name, its id or the beginning of one.
    ///
    /// - Throws: ``ImageError/Code/notFound``, ``ImageError/Code/ambiguous``.
    public func container(_ text: String) throws -> StoredContainer {
        if let named = containers.first(where: { $0.name == text }) { return named }
        let found = containers.filter { !text.isEmpty && $0.id.hexadecimal.hasPrefix(text) }
        guard let container = found.first else {
            throw ImageError(.notFound, "there is no container \(text); “dmlayer container list” shows all")
        }
        guard found.count == 1 else {
            throw ImageError(
                .ambiguous, "\(found.count) containers have ids that begin with \(text); give more of its digits")
        }
        return container
    }
}
#endif
