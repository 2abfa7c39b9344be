#if Images
internal import SystemCalls
public import SystemPackage

/// Where the images of a root are, and the containers of Docker's.
///
/// Docker keeps its images beside the root of its driver `devicemapper`. A root of our own has them within, in the same
/// form.
public struct ImageFolders: Hashable, Sendable {
    /// The root of the store.
    public let root: FilePath
    /// The folder of images and of what is known of their layers.
    public let images: FilePath
    /// Whether the images are Docker's.
    public let areDockers: Bool

    /// Finds the folders of a root, which is mostly `/var/lib/docker/devicemapper` or `/var/lib/dmlayer`.
    public init(of root: FilePath) {
        self.root = root
        let dockers = root.removingLastComponent().appending("image/devicemapper")
        // A folder that cannot be examined leads to an error where it is read.
        areDockers = (try? Stat(dockers).type) == .directory
        images = areDockers ? dockers : root.appending("images")
    }

    /// Docker's data root, mostly `/var/lib/docker`.
    public var dataRoot: FilePath { root.removingLastComponent() }

    /// The folder with a folder for each of Docker's containers.
    public var containers: FilePath { dataRoot.appending("containers") }

    /// The folder of a local volume's files.
    public func volume(_ name: String) -> FilePath { dataRoot.appending("volumes").appending(name).appending("_data") }

    /// The folder with a configuration for each image, which has the image's id as its name.
    var configurations: FilePath { images.appending("imagedb/content/sha256") }

    /// The folder with a folder for what else is known of an image.
    var metadata: FilePath { images.appending("imagedb/metadata/sha256") }

    /// The folder with what else is known of an image.
    func metadata(of image: ContentDigest) -> FilePath { metadata.appending(image.hexadecimal) }

    /// The file with the names of the images.
    var names: FilePath { images.appending("repositories.json") }

    /// The folder with a folder for each layer of images, which has the id of its chain as its name.
    var layers: FilePath { images.appending("layerdb/sha256") }

    /// The folder in which Docker puts the files of a layer together.
    var work: FilePath { images.appending("layerdb/tmp") }

    /// The folder of a layer of images.
    func layer(_ chain: ContentDigest) -> FilePath { layers.appending(chain.hexadecimal) }

    /// The folder with a folder for each of Docker's containers, which says which layers it has.
    var mounts: FilePath { images.appending("layerdb/mounts") }

    /// The folder that says which layers a container has.
    func mount(of container: ContentDigest) -> FilePath { mounts.appending(container.hexadecimal) }
}
#endif
