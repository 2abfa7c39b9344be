#if Images
import SystemPackage
import TestSupport

@testable import Images

/// The files about images and containers of the root that Docker 20.10 made, see `fixtures/docker-20.10-ext4`.
final class DockerFiles {
    private let scratch: ScratchDirectory
    /// The root of the driver, which itself is not there.
    let driverRoot: FilePath

    init() throws {
        scratch = try ScratchDirectory()
        driverRoot = scratch.appending("docker/devicemapper")
        let archive = ProjectFolder.path.appending("fixtures/docker-20.10-ext4/var-lib-docker.tar.xz")
        try Shell.run(
            "tar -C '\(scratch.path)' --no-same-owner -xf '\(archive)' docker/image/devicemapper docker/containers")
    }

    /// Runs commands in the folder of the images.
    func change(_ commands: String) throws {
        try Shell.run("set -e; cd '\(scratch.path)/docker/image/devicemapper'; \(commands)")
    }

    func images() throws -> ImageCatalog { try ImageCatalog(of: driverRoot) }
    func containers() throws -> ContainerCatalog { try ContainerCatalog(of: driverRoot) }
}
#endif
