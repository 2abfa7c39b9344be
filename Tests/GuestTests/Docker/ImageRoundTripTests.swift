import SystemPackage
import TestSupport

/// Images of the archives that other programs make come into a store of our own, and out of it as they were.
///
/// `Tests/lib/image-facts.py` reads the content of an archive from its bytes: the ids, the layers' digests, the names.
struct ImageRoundTripTests {
    private static let folder: FilePath = "/var/lib/import"
    private static let recorded = "fixtures/docker-20.10-ext4/save-all.tar.xz"

    private let checks: Checks
    private let program: FilePath
    /// Finds the programs of Docker and containerd, which run.
    private let shell: GuestShell
    private let store: Command

    init(_ checks: Checks, program: FilePath, shell: GuestShell) {
        self.checks = checks
        self.program = program
        self.shell = GuestShell(
            prelude: """
                \(shell.prelude)
                set -e
                export TMPDIR=\(Self.folder)/tmp
                storage='--root \(Self.folder)/podman --runroot /run/podman --storage-driver vfs'
                copy='skopeo --tmpdir \(Self.folder)/tmp --insecure-policy copy --quiet'
                [ ! -d \(Self.folder) ] || cd \(Self.folder)
                """)
        store = Command(program: program, root: Self.folder.appending("store"), shell: self.shell)
    }

    func run() throws {
        try shell.run(
            """
            docker rmi --force $(docker images --quiet) > /dev/null
            rm -rf /var/lib/podman /var/lib/bundle /run/all.tar /run/oci.tar /run/copy /run/layout
            mkdir -p \(Self.folder)/tmp && xz -dc \(Self.recorded) > \(Self.folder)/docker20.tar
            cp Tests/lib/image-facts.py \(Self.folder)
            """)
        let options = ["loopdatasize=4G", "loopmetadatasize=64M", "basesize=1G"].map { "--storage-opt dm.\($0)" }
        try store(options.joined(separator: " ") + " init")
        try bringsImagesOfDocker()
        try bringsCompressedImages()
        try bringsImagesOfContainerd()
        try bringsImagesOfPodman()
        try bringsImagesOfBuildah()
        try bringsImagesOfSkopeo()
        try bringsImagesOfUmoci()
        checks.check(
            "the store is whole at the end",
            try store.words("check", "has 1 thin", "nothing is wrong", "status")
                .joined(separator: ", "), "has 1 thin, nothing is wrong")
        try store("shutdown")
        try Shell.run("rm -rf \(Self.folder)")
    }

    /// Imports an archive into the empty store, saves all images again, and removes them.
    ///
    /// - Parameters:
    ///   - maker: The program that made the archive.
    ///   - file: The name of the archive, or of the folder of a layout.
    ///   - count: The numbers of its parts, as the last line of `image-facts.py` has them.
    ///   - isPiped: Whether dmlayer reads the archive from a pipe.
    private func roundTrip(_ maker: String, _ file: String, _ count: String, isPiped: Bool = false) throws {
        let dmlayer = "'\(program)' --root '\(store.root)'"
        let images = "\(store.root)/images"
        checks.check(
            "\(maker): everything is in the store and comes out as it was",
            try shell.everything(
                """
                python3 image-facts.py \(file) > went-in
                \(isPiped ? "cat \(file) | \(dmlayer) image import -" : "\(dmlayer) image import \(file)") > imported
                \(dmlayer) image list --all --no-trunc --quiet | sort -u > listed
                \(dmlayer) image save --all --output saved.tar
                python3 image-facts.py saved.tar > came-out
                diff went-in came-out
                grep -o '^sha256:[0-9a-f]*' came-out | diff - listed
                tail -n 1 came-out
                """), count)
        checks.check(
            "\(maker): nothing is left when they are removed",
            try shell.everything(
                """
                [ ! -s listed ] || \(dmlayer) image remove $(cat listed) > removed
                \(dmlayer) list | cut -d ' ' -f 1 | paste -sd ' '
                find \(images)/layerdb \(images)/imagedb -mindepth 2 ! -name sha256
                cat \(images)/repositories.json
                """), "ID base\n{\"Repositories\":{}}")
    }

    // MARK: Docker and containerd

    private func bringsImagesOfDocker() throws {
        try roundTrip("docker save of Docker 20.10", "docker20.tar", "images: 5, layers: 8")
        // One image has two names, and Docker 26 itself made one.
        try shell.run(
            """
            docker load --input docker20.tar
            docker tag fixture/chain:v4 localhost:5000/other-name_1/part:x_Y-1.0
            docker run --name made --user 0 --network none fixture/built:v1 sh -c 'rm -r /etc; mkdir /etc; echo new > /etc/new'
            docker commit made made:26 && docker rm made
            docker save --output docker26.tar $(docker images --format '{{.Repository}}:{{.Tag}}')
            docker save --output small.tar fixture/base:1 fixture/built:v1
            docker save --output id.tar $(docker inspect --format '{{.Id}}' fixture/built:v1)
            """)
        try roundTrip("docker save of Docker 26", "docker26.tar", "images: 6, layers: 9")
    }

    private func bringsCompressedImages() throws {
        try shell.run("gzip -k id.tar && zstd -q id.tar")
        try roundTrip("docker save of an id through a pipe", "id.tar", "images: 1, layers: 5", isPiped: true)
        try roundTrip("a file by gzip", "id.tar.gz", "images: 1, layers: 5")
        try roundTrip("a pipe with Zstandard", "id.tar.zst", "images: 1, layers: 5", isPiped: true)
    }

    private func bringsImagesOfContainerd() throws {
        try shell.run(
            """
            ctr images import --local --no-unpack small.tar || ctr images import --no-unpack small.tar
            ctr images export containerd.tar $(ctr images ls -q)
            ctr images rm $(ctr images ls -q)
            """)
        try roundTrip("ctr images export", "containerd.tar", "images: 2, layers: 5")
    }

    // MARK: podman and buildah

    private func bringsImagesOfPodman() throws {
        try shell.run(
            """
            podman="podman $storage"
            $podman load --quiet --input small.tar
            $podman tag localhost/fixture/built:v1 quay.io/some/name:latest
            $podman save --quiet --multi-image-archive --format docker-archive --output podman.tar \
                localhost/fixture/base:1 quay.io/some/name:latest
            for format in oci-archive oci-dir; do
                $podman save --quiet --format $format --output podman-$format localhost/fixture/built:v1
            done
            """)
        try roundTrip("podman save, docker-archive", "podman.tar", "images: 2, layers: 5")
        try roundTrip("podman save, oci-archive", "podman-oci-archive", "images: 1, layers: 5")
        try roundTrip("podman save, oci-dir", "podman-oci-dir", "images: 1, layers: 5")
    }

    private func bringsImagesOfBuildah() throws {
        try shell.run(
            """
            mount -t tmpfs tmpfs /var/cache
            buildah="buildah $storage"
            work=$($buildah from --pull-never localhost/fixture/built:v1)
            root=$($buildah mount $work)
            echo new > $root/new && ln $root/new $root/data/new && rm $root/data/built
            $buildah umount $work
            $buildah commit --quiet --disable-compression=false $work built-by/buildah:1
            for form in docker-archive oci-archive; do
                $buildah push --quiet localhost/built-by/buildah:1 $form:buildah-$form:built-by/buildah:1
            done
            """)
        for form in ["docker-archive", "oci-archive"] {
            try roundTrip("buildah push, \(form)", "buildah-\(form)", "images: 1, layers: 6")
        }
    }

    // MARK: skopeo and umoci

    private func bringsImagesOfSkopeo() throws {
        try shell.run(
            """
            image=docker-archive:small.tar:fixture/built:v1
            $copy $image docker-archive:skopeo-docker-archive:fixture/built:v1
            $copy $image oci:skopeo-oci:fixture/built:v1
            $copy docker-archive:small.tar:fixture/base:1 oci:skopeo-oci:quay.io/base:1
            $copy --dest-compress-format zstd --dest-compress docker-archive:docker26.tar:fixture/chain:v4 \
                oci:skopeo-zstd:fixture/chain:v4
            $copy $image oci-archive:skopeo-oci-archive:fixture/built:v1
            """)
        try roundTrip("skopeo copy, docker-archive", "skopeo-docker-archive", "images: 1, layers: 5")
        try roundTrip("skopeo copy, oci with two images", "skopeo-oci", "images: 2, layers: 5")
        try roundTrip("skopeo copy, oci with layers by Zstandard", "skopeo-zstd", "images: 1, layers: 4")
        try roundTrip("skopeo copy, oci-archive", "skopeo-oci-archive", "images: 1, layers: 5")
    }

    private func bringsImagesOfUmoci() throws {
        // umoci gives tags without names; an image of such a layout has no name, unless dmlayer is told one.
        try shell.run(
            """
            $copy docker-archive:small.tar:fixture/built:v1 oci:umoci:built
            umoci unpack --image umoci:built bundle
            rm -r bundle/rootfs/etc && mkdir bundle/rootfs/etc && echo new > bundle/rootfs/etc/new
            umoci repack --image umoci:changed bundle
            umoci config --image umoci:built --tag configured --config.user nobody --history.created_by us
            umoci init --layout fresh && umoci new --image fresh:empty && umoci tag --image fresh:empty filled
            umoci unpack --image fresh:filled empty
            mkfifo empty/rootfs/pipe && cp -a bundle/rootfs/bin empty/rootfs
            umoci repack --image fresh:filled empty
            """)
        try roundTrip("umoci: a layout that it changed", "umoci", "images: 3, layers: 6")
        try roundTrip("umoci: a layout that it made, with an image without layers", "fresh", "images: 2, layers: 1")
        try shell.run("$copy oci:fresh:filled oci:one:filled")
        checks.check(
            "umoci: an image gets the names that it is given",
            try store.words("image import --name given/name:1 --name given:2 one", "given/name:1", "given:2", "status")
                .joined(separator: " "), "given/name:1 given:2")
        checks.check(
            "umoci: they are removed one by one",
            try store.words(
                "image remove given:2 given/name:1", "name removed", "image removed, with 1 layer", "status"
            )
            .joined(separator: ", "), "name removed, name removed, image removed, with 1 layer")
    }
}
