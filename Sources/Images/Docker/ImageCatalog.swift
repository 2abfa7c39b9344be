#if Images
internal import BlockDevices
internal import LayerStore
public import SystemPackage

/// The images of a root of Docker's.
///
/// The files that are read are those of Docker 1.10 and later. Nothing is written, and a damaged file takes away no more
/// than the image that it belongs to.
public struct ImageCatalog: Sendable {
    /// Where the images are.
    public let folders: DockerFolders
    /// The images, the newest first.
    public let images: [StoredImage]
    /// A text for each file that could not be read, with its path and the reason.
    public let problems: [String]
    /// Whether the file with the names could be read.
    private let hasNames: Bool

    /// Reads the images beside the root of the driver.
    ///
    /// - Throws: ``ImageError/Code/noImages`` where Docker keeps none.
    public init(besides driverRoot: FilePath) throws {
        folders = DockerFolders(besides: driverRoot)
        let contents = folders.images.appending("imagedb/content/sha256")
        let names: [FilePath.Component]
        do {
            names = try DirectoryListing.names(in: contents)
        } catch {
            throw ImageError(
                .noImages,
                "there are no images of Docker's beside \(driverRoot): cannot read \(contents): \(error). "
                    + "Give the driver's folder of Docker's data root, as in --root /var/lib/docker/devicemapper")
        }
        var (images, problems): ([ContentDigest: StoredImage], [String]) = ([:], [])
        let layers = LayerCatalog(folders)
        for name in names {
            do {
                let image = try Self.image(name, in: folders, layers)
                images[image.id] = image
            } catch {
                problems.append("\(error)")
            }
        }
        var hasNames = true
        do {
            try Self.addNames(from: folders.images.appending("repositories.json"), to: &images, &problems)
        } catch {
            problems.append("\(error); no image has a name therefore, but each can be given by its id")
            hasNames = false
        }
        self.hasNames = hasNames
        self.images = images.values.sorted {
            ($1.configuration.created, $0.id.hexadecimal) < ($0.configuration.created, $1.id.hexadecimal)
        }
        self.problems = problems.sorted()
    }

    /// The images that `docker images` shows: those with a name, and of the others those that no image was built on.
    ///
    /// Where the names cannot be read, these are all images.
    public var shown: [StoredImage] {
        guard hasNames else { return images }
        let parents = Set(images.compactMap(\.parent))
        return images.filter { !$0.tags.isEmpty || !$0.manifestDigests.isEmpty || !parents.contains($0.id) }
    }

    private static func image(
        _ name: FilePath.Component, in folders: DockerFolders, _ layers: LayerCatalog
    ) throws -> StoredImage {
        let path = folders.images.appending("imagedb/content/sha256").appending(name)
        guard let id = ContentDigest(hexadecimal: name.string) else {
            throw ImageError(.damaged, "\(path) is no image: its name is no SHA-256 digest")
        }
        let configuration = try ImageConfiguration(ImageFile.read(path), at: path)
        guard configuration.id == id else {
            throw ImageError(.damaged, "\(path) has changed: its digest is \(configuration.id), and not its name")
        }
        var (found, fault): ([StoredLayer], ImageError?) = ([], nil)
        var chain: ContentDigest?
        for digest in configuration.layers {
            let next = ContentDigest.chain(digest, on: chain)
            do {
                found.append(try layers.layer(next, digest, on: chain))
            } catch {
                fault = fault ?? error
            }
            chain = next
        }
        let metadata = folders.images.appending("imagedb/metadata/sha256").appending(name)
        return StoredImage(
            id: id, configuration: configuration,
            parent: try ImageFile.readIfThere(metadata.appending("parent")).flatMap {
                ContentDigest(ImageFile.text($0))
            },
            lastTagged: try ImageFile.readIfThere(metadata.appending("lastUpdated")).map(ImageFile.text),
            layers: found, fault: fault)
    }

    private struct Repositories: Decodable {
        let Repositories: [String: [String: String]]
    }

    private static func addNames(
        from path: FilePath, to images: inout [ContentDigest: StoredImage], _ problems: inout [String]
    ) throws {
        let repositories = try ImageFile.decode(Repositories.self, path).Repositories
        for (name, id) in repositories.values.flatMap(\.self).sorted(by: { $0.key < $1.key }) {
            guard let id = ContentDigest(id), images[id] != nil else {
                problems.append("\(path) gives the name \(name) to an image that is not there, \(id)")
                continue
            }
            if name.contains("@") {
                images[id]?.manifestDigests.append(name)
            } else {
                images[id]?.tags.append(name)
            }
        }
    }
}
#endif
