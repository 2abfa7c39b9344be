#if Images
public import SystemPackage

/// Where Docker keeps images and containers, beside the root of its driver `devicemapper`.
public struct DockerFolders: Hashable, Sendable {
    /// Docker's data root, mostly `/var/lib/docker`.
    public let dataRoot: FilePath

    /// Finds the folders of the driver's root, mostly `/var/lib/docker/devicemapper`.
    public init(besides driverRoot: FilePath) {
        dataRoot = driverRoot.removingLastComponent()
    }

    /// The folder of images and of what Docker knows of layers.
    public var images: FilePath { dataRoot.appending("image/devicemapper") }

    /// The folder with a folder for each container.
    public var containers: FilePath { dataRoot.appending("containers") }

    /// The folder of a local volume's files.
    public func volume(_ name: String) -> FilePath { dataRoot.appending("volumes").appending(name).appending("_data") }

    /// The folder of a layer of images.
    func layer(_ chain: ContentDigest) -> FilePath {
        images.appending("layerdb/sha256").appending(chain.hexadecimal)
    }

    /// The folder that says which layers a container has.
    func mount(of container: ContentDigest) -> FilePath {
        images.appending("layerdb/mounts").appending(container.hexadecimal)
    }
}
#endif
