#if Images
internal import BlockDevices
internal import LayerStore
internal import SystemCalls
public import SystemPackage

/// The images of a root.
///
/// The files that are read are those of Docker 1.10 and later, which our own roots have too. Nothing is written, and a damaged file takes away no more
/// than the image that it belongs to.
public struct ImageCatalog: Sendable {
    /// Where the images are.
    public let folders: ImageFolders
    /// The images, the newest first.
    public let images: [StoredImage]
    /// A text for each file that could not be read, with its path and the reason.
    public let problems: [String]
    /// Whether the file with the names could be read.
    private let hasNames: Bool

    /// Reads the images of a root.
    ///
    /// - Throws: ``ImageError/Code/noImages`` where there is no root of Docker's and none of our own.
    public init(of root: FilePath) throws {
        folders = ImageFolders(of: root)
        let names = try Self.configurations(in: folders)
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
            try Self.addNames(in: folders, to: &images, &problems)
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

    private static func configurations(in folders: ImageFolders) throws -> [FilePath.Component] {
        do {
            return try DirectoryListing.names(in: folders.configurations)
        } catch Errno.noSuchFileOrDirectory where !folders.areDockers && isStore(folders.root) {
            return []
        } catch {
            throw ImageError(
                .noImages,
                "there are no images in \(folders.root), nor beside it: cannot read \(folders.configurations): \(error). "
                    + "Give the root of a store. Docker's is a folder in its data root, as in "
                    + "--root /var/lib/docker/devicemapper")
        }
    }

    /// Whether a folder is the root of a store that this program made, which need not have images.
    ///
    /// Docker's root has no such file before `init` is given there.
    private static func isStore(_ root: FilePath) -> Bool {
        // A file that cannot be examined cannot be read, and the caller says so.
        (try? Stat(root.appending("store.json")).type) == .regular
    }

    private static func image(
        _ name: FilePath.Component, in folders: ImageFolders, _ layers: LayerCatalog
    ) throws -> StoredImage {
        let path = folders.configurations.appending(name)
        guard let id = ContentDigest(hexadecimal: name.string) else {
            throw ImageError(.damaged, "\(path) is no image: its name is no SHA-256 digest")
        }
        let configuration = try ImageConfiguration(ImageFile.read(path), called: "\(path)")
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
        let metadata = folders.metadata(of: id)
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
        in folders: ImageFolders, to images: inout [ContentDigest: StoredImage], _ problems: inout [String]
    ) throws {
        let path = folders.names
        // In a root of our own, the first name makes the file.
        if !folders.areDockers, try ImageFile.readIfThere(path) == nil { return }
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
